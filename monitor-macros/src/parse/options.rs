//! The options of one attribute as written.

use syn::{Expr, LitStr, Path};

use super::budget::Budget;
use super::field::Field;
use super::objective::Objective;
use super::record::Recorded;
use super::slot::Slot;

/// The options of one attribute, unset where its arguments do not name them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) id: Slot<Id>,
    /// The prefix of the default ids of a block's methods.
    pub(crate) prefix: Slot<LitStr>,
    pub(crate) operation: Slot<LitStr>,
    /// The provider of a model.
    pub(crate) provider: Slot<Id>,
    /// The model, which is the id of its calls.
    pub(crate) model: Slot<Id>,
    /// The path that reads the usage from a model's reply.
    pub(crate) usage: Slot<Expr>,
    pub(crate) fields: Slot<Vec<Field>>,
    /// The constant of `Level`, such as `INFO`.
    pub(crate) level: Slot<&'static str>,
    pub(crate) error_if: Slot<Expr>,
    pub(crate) ok_if: Slot<Expr>,
    /// The variant of the runtime's `ErrorLog`.
    pub(crate) log_errors: Slot<&'static str>,
    pub(crate) objective: Slot<Objective>,
    pub(crate) budget: Slot<Budget>,
    /// The expressions whose values are compared between the calls of a run.
    pub(crate) repeats: Slot<Vec<Expr>>,
    /// The arguments, and the result, whose texts are kept with the run.
    pub(crate) record: Slot<Vec<Recorded>>,
    pub(crate) stream: Slot<()>,
    pub(crate) krate: Slot<Path>,
}

impl Options {
    /// Copies the block's options that the method does not set itself.
    ///
    /// The id, `repeats`, `record`, `stream` and `prefix` stay out. All but the last concern one method; the block itself puts its
    /// prefix before the ids. A model is inherited, since the methods of a client call the same one. `error_if` and `ok_if`
    /// exclude each other, so a method with either of them inherits neither.
    pub(crate) fn inherit(&mut self, block: &Self) {
        self.operation.inherit(&block.operation);
        self.provider.inherit(&block.provider);
        self.model.inherit(&block.model);
        self.usage.inherit(&block.usage);
        self.fields.inherit(&block.fields);
        self.level.inherit(&block.level);
        self.log_errors.inherit(&block.log_errors);
        self.objective.inherit(&block.objective);
        self.budget.inherit(&block.budget);
        self.krate.inherit(&block.krate);
        if self.error_if.get().is_none() && self.ok_if.get().is_none() {
            self.error_if.inherit(&block.error_if);
            self.ok_if.inherit(&block.ok_if);
        }
    }
}

/// The source of an id, or of a provider.
#[derive(Clone, Debug)]
pub(crate) enum Id {
    Literal(LitStr),
    Expr(Box<Expr>),
}
