//! One interface, opened as a packet socket.

use std::ffi::CString;
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant, SystemTime};

/// `struct virtio_net_hdr`: what `PACKET_VNET_HDR` puts before each frame. With it a frame whose checksum or segmentation the
/// sender left to the device crosses the relay as it is, so no offload has to be switched off on the way.
pub(crate) const HEADER_BYTES: usize = 10;

/// Longest GSO frame that an IPv4 or IPv6 stack makes without BIG TCP, with room for its headers.
const FRAME_BYTES: usize = 80 * 1024;

/// A bulk transfer of seconds fits while the relay holds it back.
const SOCKET_BUFFER_BYTES: libc::c_int = 256 * 1024 * 1024;

/// A frame as it came, and when the kernel took it in.
pub(crate) struct Frame {
    bytes: Vec<u8>,
    pub(crate) arrived: Instant,
}

impl Frame {
    /// The frame from its Ethernet header on.
    pub(crate) fn ethernet(&self) -> &[u8] {
        &self.bytes[HEADER_BYTES..]
    }
}

/// A packet socket bound to one interface. What it sends it does not receive.
pub(crate) struct Link {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl Link {
    /// Opens the interface of that name in the current network namespace.
    ///
    /// # Errors
    /// ENODEV when there is none, EPERM without `CAP_NET_RAW`.
    pub(crate) fn open(name: &str) -> io::Result<Self> {
        let context = |error: io::Error| io::Error::new(error.kind(), format!("{name}: {error}"));
        let c_name = CString::new(name).map_err(|error| context(error.into()))?;
        // SAFETY: the name is a C string that lives through the call.
        let index = unsafe { libc::if_nametoindex(c_name.as_ptr()) };
        if index == 0 {
            return Err(context(io::Error::last_os_error()));
        }
        // Protocol 0 receives nothing until bind names the interface; else frames of others would already be queued.
        // SAFETY: no pointers are passed.
        let fd = unsafe {
            libc::socket(
                libc::AF_PACKET,
                libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK,
                0,
            )
        };
        if fd < 0 {
            return Err(context(io::Error::last_os_error()));
        }
        // SAFETY: the descriptor is new and nobody else's.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        let link = Self {
            socket,
            buffer: vec![0; FRAME_BYTES],
        };
        link.set_option(libc::SOL_PACKET, libc::PACKET_VNET_HDR, 1)
            .map_err(context)?;
        link.set_option(libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 1)
            .map_err(context)?;
        link.set_option(libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)
            .map_err(context)?;
        link.set_option(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, SOCKET_BUFFER_BYTES)
            .map_err(context)?;
        link.set_option(libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, SOCKET_BUFFER_BYTES)
            .map_err(context)?;
        // SAFETY: all-zero is a valid sockaddr_ll.
        let mut address: libc::sockaddr_ll = unsafe { zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        address.sll_ifindex = index as i32;
        // SAFETY: the address is valid and its length is its own.
        let bound = unsafe {
            libc::bind(
                link.raw(),
                (&raw const address).cast(),
                size_of::<libc::sockaddr_ll>() as libc::socklen_t,
            )
        };
        if bound < 0 {
            return Err(context(io::Error::last_os_error()));
        }
        Ok(link)
    }

    pub(crate) fn raw(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// The next frame that arrived, or none.
    ///
    /// # Errors
    /// ENETDOWN when the interface went down; a frame longer than the buffer.
    pub(crate) fn receive(&mut self) -> io::Result<Option<Frame>> {
        let mut control = [0_u64; 16];
        let mut vector = libc::iovec {
            iov_base: self.buffer.as_mut_ptr().cast(),
            iov_len: self.buffer.len(),
        };
        // SAFETY: all-zero is a valid msghdr.
        let mut message: libc::msghdr = unsafe { zeroed() };
        message.msg_iov = &raw mut vector;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control) as _;
        // SAFETY: every pointer in the message outlives the call.
        let received = unsafe { libc::recvmsg(self.raw(), &raw mut message, 0) };
        if received < 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::WouldBlock {
                Ok(None)
            } else {
                Err(error)
            };
        }
        if message.msg_flags & libc::MSG_TRUNC != 0 {
            return Err(io::Error::other(
                "a frame is longer than any this relay can carry",
            ));
        }
        let arrived = arrival(&message).ok_or_else(|| {
            io::Error::other("the kernel gave a frame without its time of arrival")
        })?;
        Ok(Some(Frame {
            bytes: self.buffer[..received as usize].to_vec(),
            arrived,
        }))
    }

    /// Sends a frame that another link received.
    ///
    /// # Errors
    /// What the kernel says; a full queue is an error too, for a relay that loses frames by itself is of no use to a test.
    pub(crate) fn send(&self, frame: &Frame) -> io::Result<()> {
        self.send_bytes(&frame.bytes)
    }

    /// Sends `bytes`: a zeroed or real `virtio_net_hdr`, then the frame.
    pub(crate) fn send_bytes(&self, bytes: &[u8]) -> io::Result<()> {
        // SAFETY: the bytes live through the call.
        let sent = unsafe { libc::send(self.raw(), bytes.as_ptr().cast(), bytes.len(), 0) };
        if sent < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }

    /// Frames the kernel threw away because nobody fetched them in time.
    pub(crate) fn overruns(&self) -> io::Result<u32> {
        // SAFETY: all-zero is a valid tpacket_stats.
        let mut statistics: libc::tpacket_stats = unsafe { zeroed() };
        let mut length = size_of::<libc::tpacket_stats>() as libc::socklen_t;
        // SAFETY: both pointers are valid for the call.
        let read = unsafe {
            libc::getsockopt(
                self.raw(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut statistics).cast(),
                &raw mut length,
            )
        };
        if read < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(statistics.tp_drops)
        }
    }

    fn set_option(&self, level: i32, option: i32, value: libc::c_int) -> io::Result<()> {
        // SAFETY: the value lives through the call and its length is its own.
        let set = unsafe {
            libc::setsockopt(
                self.raw(),
                level,
                option,
                (&raw const value).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            )
        };
        if set < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }
}

/// The kernel's stamp is wall time. Wall time is read before monotonic time, so that what passes between the two readings makes
/// the arrival later, never earlier: the delay is a lower bound.
fn arrival(message: &libc::msghdr) -> Option<Instant> {
    // SAFETY: the kernel filled the control buffer that the message points to.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !header.is_null() {
        // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR give null or a whole header inside the buffer.
        let (level, kind) = unsafe { ((*header).cmsg_level, (*header).cmsg_type) };
        if (level, kind) == (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) {
            // SAFETY: this type carries one timespec, not necessarily aligned.
            let stamp = unsafe {
                libc::CMSG_DATA(header)
                    .cast::<libc::timespec>()
                    .read_unaligned()
            };
            let stamp = SystemTime::UNIX_EPOCH
                + Duration::new(
                    u64::try_from(stamp.tv_sec).ok()?,
                    u32::try_from(stamp.tv_nsec).ok()?,
                );
            let age = SystemTime::now().duration_since(stamp).unwrap_or_default();
            return Instant::now().checked_sub(age);
        }
        // SAFETY: as above.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
    None
}
