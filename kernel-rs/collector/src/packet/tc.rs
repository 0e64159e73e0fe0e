//! Queueing disciplines and filters of an interface, over rtnetlink (`linux/pkt_sched.h`, `linux/pkt_cls.h`).

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd, OwnedFd},
};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::{
    RouteNetlinkMessage,
    tc::{TcAttribute, TcBpfFlags, TcFilterBpf, TcFilterBpfOption, TcHandle, TcMessage, TcOption},
};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};

/// Bytes of one answer: the kernel makes the parts of a dump no larger.
const ANSWER: usize = 32 << 10;
/// Every protocol, as a filter's header has it.
const ALL_PROTOCOLS: u32 = (libc::ETH_P_ALL as u16).to_be() as u32;
const CLSACT: &str = "clsact";
/// `ffff:0`, the handle of a clsact and of an ingress qdisc.
const AT_INGRESS: TcHandle = TcHandle {
    major: u16::MAX,
    minor: 0,
};

/// A filter of the clsact qdisc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    /// What it was given, or the kernel gave it.
    pub(super) handle: u32,
    /// Name of its program; empty where it is none of BPF.
    pub(super) program: String,
    egress: bool,
    info: u32,
}

/// A connection to the network namespace of the thread that opened it, for one interface.
pub(super) struct Tc {
    socket: OwnedFd,
    interface: i32,
}

impl Tc {
    /// # Errors
    /// What the kernel answers.
    pub(super) fn open(interface: u32) -> io::Result<Self> {
        Ok(Self {
            socket: socket(
                AddressFamily::Netlink,
                SockType::Raw,
                SockFlag::SOCK_CLOEXEC,
                SockProtocol::NetlinkRoute,
            )?,
            interface: interface as i32,
        })
    }

    /// Adds a clsact qdisc; whether it was not there.
    ///
    /// # Errors
    /// What the kernel answers; `ResourceBusy` where an ingress qdisc has its place.
    pub(super) fn add_clsact(&self) -> io::Result<bool> {
        let message = RouteNetlinkMessage::NewQueueDiscipline(self.clsact());
        match self.ask(message, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL) {
            Ok(_) => Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {
                if self.clsact_kind()?.is_some_and(|kind| kind != CLSACT) {
                    return Err(io::Error::new(
                        io::ErrorKind::ResourceBusy,
                        "an ingress qdisc has the place of the clsact qdisc: replace it by clsact, which takes the same filters",
                    ));
                }
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Removes the clsact qdisc with all its filters.
    ///
    /// # Errors
    /// What the kernel answers.
    pub(super) fn delete_clsact(&self) -> io::Result<()> {
        self.ask(
            RouteNetlinkMessage::DelQueueDiscipline(self.clsact()),
            NLM_F_ACK,
        )?;
        Ok(())
    }

    /// Adds a BPF filter that gives verdicts itself, before those that are there.
    ///
    /// # Errors
    /// What the kernel answers.
    pub(super) fn add_filter(
        &self,
        egress: bool,
        handle: u32,
        name: &str,
        program: BorrowedFd<'_>,
    ) -> io::Result<()> {
        let mut message = self.filter(egress);
        message.header.handle = handle.into();
        // Without a priority of its own a filter goes before those that are there.
        message.header.info = ALL_PROTOCOLS;
        let options = [
            TcFilterBpfOption::ProgFd(program.as_raw_fd() as u32),
            TcFilterBpfOption::ProgName(name.into()),
            TcFilterBpfOption::Flags(TcBpfFlags::DirectAction),
        ];
        message.attributes = vec![
            TcAttribute::Kind(TcFilterBpf::KIND.into()),
            TcAttribute::Options(options.into_iter().map(TcOption::Bpf).collect()),
        ];
        let message = RouteNetlinkMessage::NewTrafficFilter(message);
        self.ask(message, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL)?;
        Ok(())
    }

    /// Removes one filter.
    ///
    /// # Errors
    /// What the kernel answers.
    pub(super) fn delete_filter(&self, filter: &Filter) -> io::Result<()> {
        let mut message = self.filter(filter.egress);
        message.header.handle = filter.handle.into();
        message.header.info = filter.info;
        self.ask(RouteNetlinkMessage::DelTrafficFilter(message), NLM_F_ACK)?;
        Ok(())
    }

    /// Every filter of the clsact qdisc, both ways; none where there is no such qdisc.
    ///
    /// # Errors
    /// What the kernel answers.
    pub(super) fn filters(&self) -> io::Result<Vec<Filter>> {
        let mut filters = Vec::new();
        for egress in [false, true] {
            let message = RouteNetlinkMessage::GetTrafficFilter(self.filter(egress));
            for answer in self.ask(message, NLM_F_DUMP)? {
                // The kernel also tells each priority by itself, with handle 0.
                if let RouteNetlinkMessage::NewTrafficFilter(it) = answer
                    && it.header.handle != TcHandle::UNSPEC
                {
                    filters.push(Filter {
                        handle: it.header.handle.into(),
                        program: program_of(&it),
                        egress,
                        info: it.header.info,
                    });
                }
            }
        }
        Ok(filters)
    }

    /// What qdisc is at the place of clsact.
    fn clsact_kind(&self) -> io::Result<Option<String>> {
        let message =
            RouteNetlinkMessage::GetQueueDiscipline(TcMessage::with_index(self.interface));
        let answers = self.ask(message, NLM_F_DUMP)?;
        Ok(answers.into_iter().find_map(|answer| match answer {
            RouteNetlinkMessage::NewQueueDiscipline(it)
                if it.header.index == self.interface && it.header.handle == AT_INGRESS =>
            {
                it.attributes.into_iter().find_map(|it| match it {
                    TcAttribute::Kind(kind) => Some(kind),
                    _ => None,
                })
            }
            _ => None,
        }))
    }

    fn clsact(&self) -> TcMessage {
        let mut message = TcMessage::with_index(self.interface);
        message.header.parent = TcHandle::CLSACT;
        message.header.handle = AT_INGRESS;
        message.attributes = vec![TcAttribute::Kind(CLSACT.into())];
        message
    }

    fn filter(&self, egress: bool) -> TcMessage {
        let mut message = TcMessage::with_index(self.interface);
        message.header.parent = TcHandle {
            major: TcHandle::CLSACT.major,
            minor: if egress {
                TcHandle::MIN_EGRESS
            } else {
                TcHandle::MIN_INGRESS
            },
        };
        message
    }

    /// Sends one request and reads its answers up to the acknowledgement.
    fn ask(
        &self,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> io::Result<Vec<RouteNetlinkMessage>> {
        let mut request =
            NetlinkMessage::new(NetlinkHeader::default(), NetlinkPayload::from(message));
        request.header.flags = NLM_F_REQUEST | flags;
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        send(self.socket.as_raw_fd(), &bytes, MsgFlags::empty())?;
        let mut answers = Vec::new();
        let mut buffer = vec![0; ANSWER];
        loop {
            let received = recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
            let mut rest = &buffer[..received];
            while !rest.is_empty() {
                let answer =
                    NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest).map_err(|error| {
                        io::Error::new(io::ErrorKind::InvalidData, error.to_string())
                    })?;
                // Messages begin at multiples of four bytes.
                let length = (answer.header.length as usize).next_multiple_of(4);
                rest = rest.get(length..).unwrap_or_default();
                match answer.payload {
                    NetlinkPayload::InnerMessage(message) => answers.push(message),
                    NetlinkPayload::Done(_) => return Ok(answers),
                    NetlinkPayload::Error(error) => {
                        return match error.code {
                            None => Ok(answers),
                            Some(_) => Err(error.to_io()),
                        };
                    }
                    _ => {}
                }
            }
        }
    }
}

fn program_of(message: &TcMessage) -> String {
    let options = message.attributes.iter().filter_map(|it| match it {
        TcAttribute::Options(options) => Some(options),
        _ => None,
    });
    options
        .flatten()
        .find_map(|it| match it {
            TcOption::Bpf(TcFilterBpfOption::ProgName(name)) => Some(name.clone()),
            _ => None,
        })
        .unwrap_or_default()
}
