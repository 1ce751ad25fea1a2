//! Adapters, shares, and what the machine is a member of.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{ERROR_BUFFER_OVERFLOW, ERROR_SUCCESS};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    GAA_FLAG_INCLUDE_GATEWAYS, GAA_FLAG_SKIP_ANYCAST, GAA_FLAG_SKIP_MULTICAST, GetAdaptersAddresses,
    IF_TYPE_IEEE80211, IP_ADAPTER_ADDRESSES_LH,
};
use windows_sys::Win32::NetworkManagement::Ndis::IfOperStatusUp;
use windows_sys::Win32::NetworkManagement::NetManagement::{
    NetApiBufferFree, NetGetJoinInformation, NetSetupDomainName, NetSetupUnknownStatus,
};
use windows_sys::Win32::NetworkManagement::WNet::{
    NETRESOURCEW, RESOURCETYPE_DISK, WNetAddConnection2W, WNetCancelConnection2W,
};
use windows_sys::Win32::Networking::WinSock::{
    AF_INET, AF_INET6, AF_UNSPEC, SOCKADDR_IN, SOCKADDR_IN6, SOCKET_ADDRESS,
};

use super::wide;

/// A network adapter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Adapter {
    /// Its name as users see it.
    pub(in super::super) name: String,
    /// Hexadecimal digits with colons, in upper case.
    pub(in super::super) mac: String,
    /// IPv4 and IPv6 addresses.
    pub(in super::super) addresses: Vec<String>,
    /// Gateways.
    pub(in super::super) gateways: Vec<String>,
    /// Whether it is connected.
    pub(in super::super) up: bool,
    /// Whether it needs no cable.
    pub(in super::super) wireless: bool,
}

/// The adapters with a hardware address; none where Windows does not say.
pub(in super::super) fn adapters() -> Vec<Adapter> {
    const FLAGS: u32 = GAA_FLAG_INCLUDE_GATEWAYS | GAA_FLAG_SKIP_ANYCAST | GAA_FLAG_SKIP_MULTICAST;
    let mut length: u32 = 32 * 1024;
    let mut found = Vec::new();
    for _ in 0..3 {
        // Of 8 bytes each, because the structures that are put there have pointers.
        let mut buffer = vec![0u64; (length as usize).div_ceil(8)];
        let first: *mut IP_ADAPTER_ADDRESSES_LH = buffer.as_mut_ptr().cast();
        // SAFETY: the buffer's length goes along; on success the list in it is valid as long as the buffer is there.
        unsafe {
            match GetAdaptersAddresses(AF_UNSPEC.into(), FLAGS, null(), first, &mut length) {
                ERROR_SUCCESS => {
                    let mut next = first.cast_const();
                    while let Some(adapter) = next.as_ref() {
                        found.extend(read(adapter));
                        next = adapter.Next;
                    }
                    return found;
                }
                // It tells the length that it needs.
                ERROR_BUFFER_OVERFLOW => {}
                _ => return found,
            }
        }
    }
    found
}

/// An adapter of the list; those without a hardware address, such as the loopback, are none of a machine's.
///
/// # Safety
/// The adapter must be one of a list that `GetAdaptersAddresses` has made and that is still there.
unsafe fn read(adapter: &IP_ADAPTER_ADDRESSES_LH) -> Option<Adapter> {
    let bytes = adapter
        .PhysicalAddress
        .get(..adapter.PhysicalAddressLength as usize)?;
    if bytes.is_empty() {
        return None;
    }
    let mac: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    let mut found = Adapter {
        mac: mac.join(":"),
        up: adapter.OperStatus == IfOperStatusUp,
        wireless: adapter.IfType == IF_TYPE_IEEE80211,
        ..Adapter::default()
    };
    // SAFETY: the caller vouches for the list; its texts end with a zero and its lists with null.
    unsafe {
        found.name = wide_text(adapter.FriendlyName);
        let mut next = adapter.FirstUnicastAddress.cast_const();
        while let Some(entry) = next.as_ref() {
            found.addresses.extend(address(&entry.Address));
            next = entry.Next;
        }
        let mut next = adapter.FirstGatewayAddress.cast_const();
        while let Some(entry) = next.as_ref() {
            found.gateways.extend(address(&entry.Address));
            next = entry.Next;
        }
    }
    Some(found)
}

/// # Safety
/// The address must be one that Windows has made: as long as its family says.
unsafe fn address(address: &SOCKET_ADDRESS) -> Option<String> {
    // SAFETY: the caller vouches for the address; the family comes first in every kind of it.
    unsafe {
        let family = address.lpSockaddr.as_ref()?.sa_family;
        match family {
            AF_INET => {
                let v4 = address.lpSockaddr.cast::<SOCKADDR_IN>().as_ref()?;
                Some(Ipv4Addr::from(v4.sin_addr.S_un.S_addr.to_ne_bytes()).to_string())
            }
            AF_INET6 => {
                let v6 = address.lpSockaddr.cast::<SOCKADDR_IN6>().as_ref()?;
                Some(Ipv6Addr::from(v6.sin6_addr.u.Byte).to_string())
            }
            _ => None,
        }
    }
}

/// # Safety
/// The text must end with a zero.
unsafe fn wide_text(text: *const u16) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller vouches for the zero at the end.
    let units = unsafe {
        let length = (0..).take_while(|at| *text.add(*at) != 0).count();
        std::slice::from_raw_parts(text, length)
    };
    String::from_utf16_lossy(units)
}

/// Connects to a share, under a device's name where one is given; the error is Windows' code.
pub(in super::super) fn connect(
    share: &str,
    device: Option<&str>,
    user: &str,
    password: &str,
) -> Result<(), u32> {
    let (mut share, mut device) = (wide(share), device.map(wide));
    let (user, password) = (wide(user), wide(password));
    let resource = NETRESOURCEW {
        dwType: RESOURCETYPE_DISK,
        lpRemoteName: share.as_mut_ptr(),
        lpLocalName: device.as_mut().map_or(null_mut(), |name| name.as_mut_ptr()),
        ..NETRESOURCEW::default()
    };
    // SAFETY: all texts end with a zero and outlive the call; without a user, both are null.
    let code = unsafe {
        if user.len() > 1 {
            WNetAddConnection2W(&resource, password.as_ptr(), user.as_ptr(), 0)
        } else {
            WNetAddConnection2W(&resource, null(), null(), 0)
        }
    };
    if code == ERROR_SUCCESS { Ok(()) } else { Err(code) }
}

/// Ends a connection by the name of its device or share.
pub(in super::super) fn disconnect(name: &str) -> Result<(), u32> {
    // SAFETY: the text ends with a zero and outlives the call.
    let code = unsafe { WNetCancelConnection2W(wide(name).as_ptr(), 0, 1) };
    if code == ERROR_SUCCESS { Ok(()) } else { Err(code) }
}

/// The domain that the machine is a member of; the error is Windows' code.
pub(in super::super) fn domain() -> Result<Option<String>, u32> {
    let (mut name, mut status) = (null_mut(), NetSetupUnknownStatus);
    // SAFETY: the text that Windows makes ends with a zero, and is given back to it once.
    unsafe {
        let code = NetGetJoinInformation(null(), &mut name, &mut status);
        if code != ERROR_SUCCESS {
            return Err(code);
        }
        let text = wide_text(name);
        if !name.is_null() {
            NetApiBufferFree(name.cast());
        }
        Ok((status == NetSetupDomainName).then_some(text))
    }
}
