//! The attributes in a crate of the 2021 edition, as users still have them: all of it is in `tests`.
