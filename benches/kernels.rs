//! (bench)
fn main() {}
