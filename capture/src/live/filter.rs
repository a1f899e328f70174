//! The expression that the kernel filters by, see pcap-filter(7).

/// Expressions for these ports and the user's own filter, the better one first; the next one is for links that cannot do it.
/// None: everything.
///
/// On a loopback interface every packet passes twice, out and in again. libpcap passes over the first sight of it, but its place
/// in the ring is taken and its count made: the kernel itself must leave it out.
pub(super) fn expressions(ports: &[u16], filter: Option<&str>, loopback: bool) -> Vec<String> {
    let tcp: Vec<String> = ports.iter().map(|port| format!("tcp port {port}")).collect();
    let tcp = tcp.join(" or ");
    let filter = filter.map(str::trim).filter(|filter| !filter.is_empty());
    let mut forms = match (tcp.is_empty(), filter) {
        (true, None) => vec![],
        (true, Some(filter)) => vec![filter.to_owned()],
        (false, Some(filter)) => vec![format!("({filter}) and ({tcp})")],
        // "vlan" moves all offsets behind it, so it comes last; some links know no VLANs
        (false, None) if !loopback => vec![format!("{tcp} or (vlan and ({tcp}))"), tcp],
        (false, None) => vec![tcp],
    };
    if loopback {
        for form in &mut forms {
            *form = format!("inbound and ({form})");
        }
        if forms.is_empty() {
            forms.push("inbound".to_owned());
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::expressions;

    #[test]
    fn ports_and_filter_must_both_hold() {
        assert_eq!(expressions(&[], None, false), [""; 0]);
        assert_eq!(expressions(&[], Some("host a or host b"), false), ["host a or host b"]);
        assert_eq!(expressions(&[], Some(" "), false), [""; 0]);
        assert_eq!(
            expressions(&[80, 81], Some("host a or host b"), false),
            ["(host a or host b) and (tcp port 80 or tcp port 81)"]
        );
    }

    #[test]
    fn ports_are_found_behind_a_vlan_tag_and_once_on_loopback() {
        assert_eq!(
            expressions(&[80], None, false),
            ["tcp port 80 or (vlan and (tcp port 80))", "tcp port 80"]
        );
        assert_eq!(expressions(&[80], None, true), ["inbound and (tcp port 80)"]);
        assert_eq!(expressions(&[], None, true), ["inbound"]);
    }
}
