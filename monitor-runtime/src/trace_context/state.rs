//! The header `tracestate`: the vendors' data of a trace, `key=value` separated by commas. It is checked and forwarded,
//! and never interpreted.

const MOST_MEMBERS: usize = 32;
const LONGEST: usize = 256;

/// Whether every member is valid; a single invalid one makes the whole header invalid.
pub(super) fn is_valid(header: &str) -> bool {
    let mut keys = Vec::new();
    let members = header.split(',').map(|member| member.trim_matches([' ', '\t']));
    for member in members.filter(|member| !member.is_empty()) {
        let Some((key, value)) = member.split_once('=') else { return false };
        if !is_key(key) || !is_value(value) || keys.contains(&key) || keys.len() == MOST_MEMBERS {
            return false;
        }
        keys.push(key);
    }
    !keys.is_empty()
}

/// Whether it is a name, or a tenant and a system as in `tenant@system`.
fn is_key(key: &str) -> bool {
    match key.split_once('@') {
        None => is_name(key, LONGEST, |first| first.is_ascii_lowercase()),
        Some((tenant, system)) => {
            is_name(tenant, 241, |first| first.is_ascii_lowercase() || first.is_ascii_digit())
                && is_name(system, 14, |first| first.is_ascii_lowercase())
        }
    }
}

fn is_name(name: &str, longest: usize, is_first: impl Fn(u8) -> bool) -> bool {
    let may_follow = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'*' | b'/')
    };
    name.bytes().next().is_some_and(is_first) && name.bytes().all(may_follow) && name.len() <= longest
}

/// Whether it is printable ASCII without the delimiters. A space may occur anywhere but at the end.
fn is_value(value: &str) -> bool {
    let is_printable = value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'=');
    is_printable && !value.is_empty() && value.len() <= LONGEST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_the_known_shape_are_good() {
        let longest_key = format!("a{}", "b".repeat(255));
        let longest_tenant = format!("0{}@a{}", "b".repeat(240), "c".repeat(13));
        let longest_value = "v".repeat(256);
        for member in [
            "a=1",
            "rojo=00f067aa0ba902b7",
            "fw529a3039@dt=FfD;with spaces",
            "a/b*c-d_e=~!#",
            &format!("{longest_key}=1"),
            &format!("{longest_tenant}=1"),
            &format!("a={longest_value}"),
        ] {
            assert!(is_valid(member), "{member}");
        }
        assert!(is_valid("a=1,b=2 ,\t c=3"));
        assert!(is_valid("a=1,,b=2,"), "members may be left empty");
    }

    #[test]
    fn one_bad_member_makes_the_whole_bad() {
        let longer_key = format!("a{}", "b".repeat(256));
        let longer_tenant = format!("0{}@a", "b".repeat(241));
        let longer_system = format!("a@b{}", "c".repeat(14));
        let longer_value = "v".repeat(257);
        for member in [
            "a",
            "a=",
            "=1",
            "A=1",
            "0a=1",
            "a b=1",
            "a=1=2",
            "a=\u{7f}",
            "a=ä",
            "ä=1",
            "a@=1",
            "@a=1",
            "a@b@c=1",
            "a@0=1",
            &format!("{longer_key}=1"),
            &format!("{longer_tenant}=1"),
            &format!("{longer_system}=1"),
            &format!("a={longer_value}"),
        ] {
            assert!(!is_valid(member), "{member}");
            assert!(!is_valid(&format!("good=1,{member}")), "{member}");
        }
    }

    #[test]
    fn no_key_comes_twice_and_no_more_than_32_come_at_all() {
        assert!(!is_valid("a=1,b=2,a=3"));
        let members: Vec<_> = (0..33).map(|at| format!("k{at}=1")).collect();
        assert!(is_valid(&members[1..].join(",")));
        assert!(!is_valid(&members.join(",")));
    }

    #[test]
    fn a_header_without_members_says_nothing() {
        assert!(!is_valid(""));
        assert!(!is_valid(" , ,\t"));
    }
}
