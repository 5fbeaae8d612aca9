//! AMD's assembly as RADV prints it: the main loop, its multiply-adds, and its waits.
//!
//! An instruction counts once, also where an inner loop or a branch runs it more or less often.

/// A kernel's main loop, or all of a kernel without a loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Instructions of the innermost loop with the most multiply-adds.
    pub instructions: usize,
    /// Multiply-adds of it.
    pub multiply_adds: usize,
    /// Memory latencies one behind the other in an iteration of the loop that loads.
    pub memory: usize,
    /// Latencies of scalar loads one behind the other.
    pub scalar: usize,
}

/// An instruction without its operands' meaning.
struct Instruction {
    op: String,
    operands: String,
}

/// Where a label stands, by instructions.
type Labels = Vec<(String, usize)>;

/// What an assembly's main loop does.
pub fn summary(assembly: &str) -> Summary {
    let (code, labels) = parse(assembly);
    let loops = loops(&code, &labels);
    let all = (0, code.len());
    let fmas = |&(first, end): &(usize, usize)| code[first..end].iter().map(Instruction::multiply_adds).sum::<usize>();
    // A loop without products inside, which only advances addresses, say, does not count.
    let is_inner = |l: &&(usize, usize)| !loops.iter().any(|m| m != *l && l.0 <= m.0 && m.1 <= l.1 && fmas(m) > 0);
    let inner = loops.iter().filter(is_inner).max_by_key(|l| fmas(l)).unwrap_or(&all);
    // The smallest loop around it that loads.
    let loads = |l: &&(usize, usize)| code[l.0..l.1].iter().any(|i| i.is_load() || i.is_scalar_load());
    let around = loops.iter().filter(|l| l.0 <= inner.0 && inner.1 <= l.1).filter(loads);
    let loading = around.min_by_key(|l| l.1 - l.0).unwrap_or(&all);
    let body = &code[loading.0..loading.1];
    Summary {
        instructions: inner.1 - inner.0,
        multiply_adds: fmas(inner),
        memory: waits(body, "vmcnt", Instruction::is_load),
        scalar: waits(body, "lgkmcnt", Instruction::is_scalar_load),
    }
}

fn parse(assembly: &str) -> (Vec<Instruction>, Labels) {
    let mut code = vec![];
    let mut labels = vec![];
    for line in assembly.lines() {
        let line = line.split(';').next().unwrap_or("").trim();
        if let Some(label) = line.strip_suffix(':').filter(|label| label.starts_with("BB")) {
            labels.push((label.to_owned(), code.len()));
        } else if line.starts_with(|c: char| c.is_ascii_lowercase()) && line.contains('_') {
            let (op, operands) = line.split_once(' ').unwrap_or((line, ""));
            code.push(Instruction { op: op.to_owned(), operands: operands.trim().to_owned() });
        }
    }
    (code, labels)
}

/// From the target of a backward branch to the instruction after the last such branch.
fn loops(code: &[Instruction], labels: &Labels) -> Vec<(usize, usize)> {
    let mut out: Vec<(usize, usize)> = vec![];
    for (k, instruction) in code.iter().enumerate().filter(|(_, i)| i.op.contains("branch")) {
        let target = labels.iter().find(|(label, at)| *label == instruction.operands && *at <= k);
        let Some(&(_, first)) = target else { continue };
        match out.iter_mut().find(|l| l.0 == first) {
            Some(l) => l.1 = k + 1,
            None => out.push((first, k + 1)),
        }
    }
    out
}

/// The waits of an iteration for loads that began after the wait before. Loads of the iteration before may be on their way.
fn waits(body: &[Instruction], counter: &str, is_load: fn(&Instruction) -> bool) -> usize {
    // Whether each load that is on its way began after the last wait that counted.
    let mut flying: Vec<bool> = vec![];
    let mut counted = 0;
    for round in 0..2 {
        for instruction in body {
            if is_load(instruction) {
                flying.push(true);
            } else if let Some(left) = instruction.wait(counter) {
                let done: Vec<_> = flying.drain(..flying.len().saturating_sub(left)).collect();
                if done.contains(&true) {
                    flying.iter_mut().for_each(|fresh| *fresh = false);
                    counted += usize::from(round == 1);
                }
            }
        }
    }
    counted
}

impl Instruction {
    /// A pair that is issued at once counts as two.
    fn multiply_adds(&self) -> usize {
        let is = |op: &str| {
            let op = op.trim_start_matches("v_dual_").trim_start_matches("v_pk_").trim_start_matches("v_");
            ["fma", "mac", "mad_f", "mad_mix", "fmac"].iter().any(|head| op.starts_with(head))
        };
        let second = self.operands.split("::").nth(1).is_some_and(|op| is(op.trim()));
        (usize::from(self.op.starts_with("v_") && is(&self.op)) + usize::from(second))
            * if self.op.starts_with("v_pk_") { 2 } else { 1 }
    }

    fn is_load(&self) -> bool {
        ["buffer_load", "global_load", "flat_load", "scratch_load"].iter().any(|head| self.op.starts_with(head))
    }

    fn is_scalar_load(&self) -> bool {
        self.op.starts_with("s_load") || self.op.starts_with("s_buffer_load")
    }

    /// How many loads of this counter may still be on their way after this instruction.
    fn wait(&self, counter: &str) -> Option<usize> {
        if !self.op.starts_with("s_waitcnt") {
            return None;
        }
        let rest = self.operands.split(&format!("{counter}(")).nth(1)?;
        rest.split(')').next()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loads before the multiply-adds, one wait for both; a second wait for what began with them is no latency more.
    const PREFETCH: &str = "
BB0:
\ts_mov_b32 s0, 0 ; be800080
BB1:
\tbuffer_load_dwordx4 v[0:3], v8, s[4:7], 0 offen ; e0381000
\tbuffer_load_dwordx4 v[4:7], v9, s[4:7], 0 offen
\tv_fma_f32 v10, v11, v12, v10
\tv_fmac_f32_e32 v13, v11, v12
\ts_waitcnt vmcnt(1)
\tds_write_b128 v14, v[0:3]
\ts_waitcnt vmcnt(0) lgkmcnt(0)
\tds_write_b128 v14, v[4:7] offset:16
\ts_cbranch_scc1 BB1
BB2:
\ts_endpgm
";

    #[test]
    fn loads_that_fly_together_are_one_latency() {
        assert_eq!(summary(PREFETCH), Summary { instructions: 9, multiply_adds: 2, memory: 1, scalar: 0 });
    }

    #[test]
    fn a_load_after_a_wait_is_another() {
        let late = "\tbuffer_load_dwordx4 v[4:7], v9, s[4:7], 0 offen\n";
        let text = PREFETCH.replace(late, "");
        let text = text.replace("\ts_waitcnt vmcnt(1)\n", &format!("\ts_waitcnt vmcnt(0)\n{late}"));
        assert_eq!(summary(&text).memory, 2);
    }

    #[test]
    fn a_load_of_the_iteration_before_is_waited_for() {
        let first = "\tbuffer_load_dwordx4 v[0:3], v8, s[4:7], 0 offen ; e0381000\n";
        // It is issued at the end of an iteration and used in the next one, together with the other.
        let text = PREFETCH.replace(first, "").replace("\ts_cbranch_scc1 BB1", &format!("{first}\ts_cbranch_scc1 BB1"));
        assert_eq!(summary(&text).memory, 1);
    }

    #[test]
    fn scalar_loads_have_a_counter_of_their_own() {
        let text =
            PREFETCH.replace("\tv_fma_f32", "\ts_load_dword s3, s[0:1], 0x0\n\ts_waitcnt lgkmcnt(0)\n\tv_fma_f32");
        let found = summary(&text);
        assert_eq!((found.memory, found.scalar), (1, 1));
    }

    #[test]
    fn a_loop_without_products_is_not_the_main_one() {
        let addresses = "\ts_waitcnt vmcnt(1)\nBB3:\n\tv_add_u32 v8, 1, v8\n\ts_cbranch_scc0 BB3\n";
        let found = summary(&PREFETCH.replace("\ts_waitcnt vmcnt(1)\n", addresses));
        assert_eq!((found.instructions, found.multiply_adds), (11, 2));
    }

    #[test]
    fn without_a_loop_it_is_the_whole_kernel() {
        let text = PREFETCH.replace("\ts_cbranch_scc1 BB1\n", "");
        assert_eq!(summary(&text).multiply_adds, 2);
    }

    #[test]
    fn pairs_count_twice() {
        let two = |op: &str, operands: &str| Instruction { op: op.to_owned(), operands: operands.to_owned() };
        assert_eq!(two("v_pk_fma_f16", "v0, v1, v2, v0").multiply_adds(), 2);
        assert_eq!(two("v_dual_fmac_f32", "v0, v1, v2 :: v_dual_fmac_f32 v3, v4, v5").multiply_adds(), 2);
        assert_eq!(two("v_dual_fmac_f32", "v0, v1, v2 :: v_dual_mov_b32 v3, v4").multiply_adds(), 1);
        assert_eq!(two("v_mad_u64_u32", "v[0:1], s0, v1, v2, v[3:4]").multiply_adds(), 0);
    }
}
