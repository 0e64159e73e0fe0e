//! Where the engine of a namespace is: how it gets in to attach, and what becomes of sessions when the namespace goes.

use nix::poll::PollTimeout;

use super::{
    attachment,
    engine::State,
    monitor::{Monitor, News},
    namespace::Place,
    session::Member,
};
use crate::{
    class::outside::Outside,
    failure::Failure,
    histogram::Histogram,
    packet::interface::{self, Interface},
    proto::{Group, ProbeStatus, SessionState, Totals},
};

/// How often it is looked whether a namespace is still there.
const LOOK_MS: u16 = 1000;

/// What is left of a session whose namespace went.
pub(super) struct Ended {
    pub(super) totals: Totals,
    pub(super) histograms: Vec<(Group, Histogram)>,
    pub(super) probes: Vec<ProbeStatus>,
}

/// Interfaces of a namespace; `None` is the one this thread is in.
pub(super) fn interfaces(place: Option<&Place>) -> Result<Vec<Interface>, Failure> {
    place.map_or_else(interface::list, |place| place.inside(interface::list))
}

impl State {
    /// Listens in the namespace, if nobody does.
    pub(super) fn listen(&mut self, place: Option<&Place>) -> Result<(), Failure> {
        if self.monitor.is_some() {
            return Ok(());
        }
        let shared = self.shared.clone();
        let follow = move |news| {
            if let Some(shared) = shared.upgrade()
                && let Some(state) = shared.lock().as_mut()
            {
                state.follow(news);
            }
        };
        self.monitor = Some(match place {
            None => Monitor::start(PollTimeout::NONE, follow)?,
            Some(place) => place.inside(|| Monitor::start(LOOK_MS.into(), follow))?,
        });
        Ok(())
    }

    /// Follows the interfaces as they come and go. A flow whose home went finds another with its next packet.
    fn follow(&mut self, news: News) {
        self.bury();
        // An interface that goes while it is being attached to is not there the next time, which has been told already.
        if news == News::Interfaces && matches!(self.reconcile(), Ok(true)) {
            let _ = self.publish(None);
        }
    }

    /// Attaches and detaches so that exactly the interfaces that some member looks at are watched. Whether any went.
    pub(super) fn reconcile(&mut self) -> Result<bool, Failure> {
        if !self.abroad {
            return self.reconcile_here();
        }
        let mut places = self.members.values().filter_map(|it| it.place.clone());
        if let Some(place) = places.find(Place::leads_there) {
            return place.inside(|| self.reconcile_here());
        }
        let gone: Vec<u32> = self.attached.drain().map(|(index, _)| index).collect();
        for index in &gone {
            self.object.write_interface(*index, 0)?;
        }
        Ok(!gone.is_empty())
    }

    /// Ends what sessions have here that named the namespace by something that leads there no more.
    fn bury(&mut self) {
        let lost = |it: &Member| it.place.as_ref().is_some_and(|it| !it.leads_there());
        let lost: Vec<u64> = self
            .members
            .iter()
            .filter(|(_, member)| lost(member))
            .map(|(id, _)| *id)
            .collect();
        for id in lost {
            let Some(group) = self.members.get(&id).map(|it| it.group as u32) else {
                continue;
            };
            let mut probes = attachment::probes(self, id);
            let Some(member) = self.leave(id) else {
                continue;
            };
            let outside = self.object.group(group, true).unwrap_or(Outside::NOTHING);
            let counters = self.object.counters().unwrap_or_default();
            let totals = member.totals(&[], &counters, &outside);
            let place = member
                .place
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            let reason = format!("network namespace {place} is gone");
            for status in &mut probes {
                status.attached = false;
                if let Some(capability) = &mut status.capability {
                    capability.reason.clone_from(&reason);
                }
            }
            let ended = Ended {
                totals,
                histograms: member.histograms(),
                probes,
            };
            self.ended.insert(id, ended);
            let log = &member.receiver.log;
            log.forget_source(self.reader.source());
            log.change(SessionState::Degraded, &reason);
        }
    }
}
