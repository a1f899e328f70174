//! The expression that the kernel filters by, see pcap-filter(7).

/// Expressions for these ports and the user's own filter, the better one first; the next one is for links that cannot do it.
/// None: everything.
pub(super) fn expressions(ports: &[u16], filter: Option<&str>) -> Vec<String> {
    let tcp: Vec<String> = ports.iter().map(|port| format!("tcp port {port}")).collect();
    let tcp = tcp.join(" or ");
    let filter = filter.map(str::trim).filter(|filter| !filter.is_empty());
    match (tcp.is_empty(), filter) {
        (true, None) => vec![],
        (true, Some(filter)) => vec![filter.to_owned()],
        (false, Some(filter)) => vec![format!("({filter}) and ({tcp})")],
        // "vlan" moves all offsets behind it, so it comes last; some links know no VLANs
        (false, None) => vec![format!("{tcp} or (vlan and ({tcp}))"), tcp],
    }
}

#[cfg(test)]
mod tests {
    use super::expressions;

    #[test]
    fn ports_and_filter_must_both_hold() {
        assert_eq!(expressions(&[], None), [""; 0]);
        assert_eq!(expressions(&[], Some("host a or host b")), ["host a or host b"]);
        assert_eq!(expressions(&[], Some(" ")), [""; 0]);
        assert_eq!(
            expressions(&[80, 81], Some("host a or host b")),
            ["(host a or host b) and (tcp port 80 or tcp port 81)"]
        );
        assert_eq!(expressions(&[80], None), ["tcp port 80 or (vlan and (tcp port 80))", "tcp port 80"]);
    }
}
