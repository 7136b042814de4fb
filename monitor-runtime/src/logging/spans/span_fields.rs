//! The fields of a span, rendered once. This module alone decides the order of fields, and which value of a name wins.

use std::cell::RefCell;

use crate::logging::record::fields::{AGENT, Field, Fields, Key, PARENT_AGENT};

/// The number and the maximum size in bytes of the buffers of closed spans that a thread keeps for new ones.
const KEPT: usize = 32;
const KEPT_BYTES: usize = 1_024;

thread_local! {
    /// A span drops its fields on the thread that closes it, so buffers are kept by the thread.
    static BUFFERS: RefCell<Vec<Fields>> = const { RefCell::new(Vec::new()) };
}

/// All fields bound in a span, including those of its ancestors, in the form that lines copy.
///
/// The layer keeps them in the extensions of each span that it sees.
#[derive(Debug)]
pub(crate) struct SpanFields(Fields);

impl SpanFields {
    /// Returns the fields of a span that binds `own`, opened inside `outer`.
    pub(crate) fn new(outer: Option<&Self>, own: &Fields) -> Self {
        let mut all = BUFFERS.try_with(|kept| kept.borrow_mut().pop()).ok().flatten().unwrap_or_default();
        inherit(&mut all, outer.map(Self::fields), own);
        Self(all)
    }

    /// Binds more fields; they replace those of the same name.
    pub(crate) fn rebind(&mut self, own: &Fields) {
        *self = Self::new(Some(self), own);
    }

    /// Binds `parent_agent_id` in the span of an agent: the `agent_id` of `outer`, the fields of its parent.
    pub(crate) fn name_parent(&mut self, outer: &Self) {
        name_parent(&mut self.0, &outer.0);
    }

    /// Binds an id of the span itself. It overwrites the parent's id, which has the same length, or is added if there
    /// is none.
    pub(crate) fn bind_id(&mut self, name: &str, id: &str) {
        if !self.0.overwrite(name.as_bytes(), id.as_bytes()) {
            let mut own = Fields::default();
            own.bind(Key::new(name), |out| {
                out.extend_from_slice(id.as_bytes());
            });
            add(&mut self.0, &own);
        }
    }

    pub(crate) fn fields(&self) -> &Fields {
        &self.0
    }
}

/// Returns the buffer to the thread, since spans are short-lived and numerous.
impl Drop for SpanFields {
    fn drop(&mut self) {
        let buffers = std::mem::take(&mut self.0);
        // Fails while the thread ends.
        let _ = BUFFERS.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            if kept.len() < KEPT && buffers.capacity() <= KEPT_BYTES {
                kept.push(buffers);
            }
        });
    }
}

/// Sets `all` to the fields of a span that binds `own` inside a span with the fields `outer`.
pub(crate) fn inherit(all: &mut Fields, outer: Option<&Fields>, own: &Fields) {
    let is_in_order = own.is_in_order();
    match outer.filter(|outer| !outer.is_empty()) {
        None if is_in_order => return all.copy_from(own),
        Some(outer) if is_in_order => return merge(all, outer, own),
        None => all.clear(),
        Some(outer) => all.copy_from(outer),
    }
    add(all, own);
}

/// Merges fields that are sorted by rank: each is copied once, while [`add`] moves all fields behind it.
fn merge(all: &mut Fields, outer: &Fields, own: &Fields) {
    all.clear();
    let mut next = own.iter().peekable();
    for field in outer.iter() {
        while let Some(own) = next.next_if(|own| own.ranks_before(&field)) {
            all.push_field(&own);
        }
        if !own.iter().any(|own| is_replaced(&field, &own)) {
            all.push_field(&field);
        }
    }
    next.for_each(|own| all.push_field(&own));
}

/// Binds `parent_agent_id` in `all`, the fields of an agent's span: the `agent_id` of `outer`, if it has one.
pub(crate) fn name_parent(all: &mut Fields, outer: &Fields) {
    if let Some(caller) = outer.iter().find(|field| field.key() == AGENT.as_bytes()) {
        let mut parent = Fields::default();
        parent.bind(Key::new(PARENT_AGENT), |out| out.extend_from_slice(caller.value()));
        add(all, &parent);
    }
}

/// Adds `own` to `all`, replacing fields of the same name.
pub(crate) fn add(all: &mut Fields, own: &Fields) {
    for field in own.iter() {
        all.remove(|before| is_replaced(before, &field));
        all.insert(field);
    }
}

/// Whether `field` replaces `before`. A new error also replaces the sources of the earlier one.
fn is_replaced(before: &Field<'_>, field: &Field<'_>) -> bool {
    before.key() == field.key() || before.key().strip_suffix(b".chain") == Some(field.key())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(named: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        for (name, value) in named {
            fields.bind(Key::new(name), |out| out.extend_from_slice(value.as_bytes()));
        }
        fields
    }

    fn shown(bound: &SpanFields) -> &str {
        std::str::from_utf8(bound.fields().bytes()).unwrap()
    }

    #[test]
    fn known_ids_stand_first_in_one_order_wherever_they_are_bound() {
        let outer = SpanFields::new(None, &fields(&[("user", "1"), ("agent_id", "2")]));
        let inner =
            SpanFields::new(Some(&outer), &fields(&[("query", "3"), ("len", "4"), ("request_id", "5")]));
        assert_eq!(shown(&inner), r#","request_id":5,"agent_id":2,"query":3,"user":1,"len":4"#);
    }

    #[test]
    fn an_agent_inside_another_has_that_one_as_its_parent() {
        let agent = |outer: &SpanFields, own: &[(&str, &str)]| {
            let mut agent = SpanFields::new(Some(outer), &fields(own));
            agent.name_parent(outer);
            agent
        };
        let planner = agent(&SpanFields::new(None, &fields(&[])), &[("agent_id", "1"), ("goal", "9")]);
        let skill = SpanFields::new(Some(&planner), &fields(&[("skill_id", "2")]));
        assert_eq!(shown(&skill), r#","agent_id":1,"skill_id":2,"goal":9"#);
        let research = agent(&skill, &[("agent_id", "3"), ("a", "8"), ("b", "7")]);
        let expected = r#","agent_id":3,"parent_agent_id":1,"skill_id":2,"goal":9,"a":8,"b":7"#;
        assert_eq!(shown(&research), expected);
        let inside = SpanFields::new(Some(&research), &fields(&[("query", "4")]));
        assert!(shown(&inside).starts_with(r#","agent_id":3,"parent_agent_id":1,"skill_id":2,"query":4"#));
        let deeper = agent(&inside, &[("agent_id", "5")]);
        assert!(shown(&deeper).starts_with(r#","agent_id":5,"parent_agent_id":3,"#), "the next one out");
    }

    #[test]
    fn the_innermost_of_one_name_wins() {
        let outer = SpanFields::new(None, &fields(&[("agent_id", "1"), ("a", "1"), ("b", "1")]));
        let inner = SpanFields::new(Some(&outer), &fields(&[("a", "2"), ("agent_id", "2"), ("a", "3")]));
        assert_eq!(shown(&inner), r#","agent_id":2,"b":1,"a":3"#);
        assert_eq!(
            shown(&outer),
            r#","agent_id":1,"a":1,"b":1"#,
            "what is bound inside does not show outside"
        );
    }

    #[test]
    fn fields_merged_in_one_pass_stand_as_if_added_one_by_one() {
        let names = ["request_id", "method", "agent_id", "error", "query.chain", "error.chain", "a", "query"];
        for outer in 0_u32..256 {
            let chosen = |set: u32, value| {
                let picked = names.iter().enumerate().filter(|(at, _)| set >> at & 1 == 1);
                fields(&picked.map(|(_, name)| (*name, value)).collect::<Vec<_>>())
            };
            let mut around = Fields::default();
            add(&mut around, &chosen(outer, "1"));
            for own in (0..256).map(|own| chosen(own, "2")).filter(Fields::is_in_order) {
                let (mut merged, mut added) = (Fields::default(), Fields::default());
                merge(&mut merged, &around, &own);
                added.copy_from(&around);
                add(&mut added, &own);
                assert_eq!(shown(&SpanFields(merged)), shown(&SpanFields(added)));
            }
        }
    }

    #[test]
    fn a_span_that_binds_nothing_binds_what_its_parent_does() {
        let outer = SpanFields::new(None, &fields(&[("a", "1")]));
        assert_eq!(shown(&SpanFields::new(Some(&outer), &Fields::default())), shown(&outer));
        assert_eq!(shown(&SpanFields::new(None, &Fields::default())), "");
    }

    #[test]
    fn an_error_bound_again_leaves_no_sources_of_the_first_behind() {
        let mut bound = SpanFields::new(None, &fields(&[("error", "1"), ("error.chain", "1"), ("a", "1")]));
        bound.rebind(&fields(&[("error", "2")]));
        assert_eq!(shown(&bound), r#","a":1,"error":2"#);
    }

    #[test]
    fn the_names_of_the_line_itself_are_never_bound() {
        let mut bound = SpanFields::new(None, &fields(&[("level", "1"), ("event", "1")]));
        bound.rebind(&fields(&[("level", "2")]));
        assert_eq!(shown(&bound), r#","field.event":1,"field.level":2"#);
    }
}
