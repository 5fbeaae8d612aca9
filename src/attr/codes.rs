//! The numbers by which shaders know the members of an enum.

use std::fmt::Write;

/// The members of an enum, as constants of shaders: number k is the k-th of them.
///
/// A kernel that names them has them in its prelude: member `LeakyRelu` of a list with the prefix `ACT` as `ACT_LEAKY_RELU`.
#[derive(Clone, Copy, Debug)]
pub struct Codes {
    /// What the constants begin with.
    pub prefix: &'static str,
    /// The members, as Rust has them.
    pub members: &'static [&'static str],
}

/// An enum whose members shaders know.
pub(crate) trait Coded {
    /// All members.
    const CODES: Codes;

    /// The name of the member.
    fn member(&self) -> &'static str;

    /// The number of the member.
    fn code(&self) -> u32 {
        Self::CODES.number(self.member())
    }
}

impl Codes {
    /// The number of a member.
    pub fn number(&self, member: &str) -> u32 {
        let at = self.members.iter().position(|known| *known == member);
        at.unwrap_or_else(|| panic!("{} has no member {member}", self.prefix)) as u32
    }

    /// The declarations, on one line.
    pub fn declare(&self, out: &mut String) {
        for (number, member) in self.members.iter().enumerate() {
            write!(out, "const {}_{} = {number}u; ", self.prefix, screaming(member)).expect("a string takes all");
        }
    }
}

/// `LeakyRelu` as `LEAKY_RELU`.
fn screaming(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && out.ends_with(|before: char| before.is_lowercase()) {
            out.push('_');
        }
        out.push(c);
    }
    out.to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_constants() {
        let mut out = String::new();
        Codes { prefix: "ACT", members: &["Relu", "LeakyRelu", "L1"] }.declare(&mut out);
        assert_eq!(out, "const ACT_RELU = 0u; const ACT_LEAKY_RELU = 1u; const ACT_L1 = 2u; ");
    }
}
