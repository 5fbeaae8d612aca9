
// --- engine/registers.wgsl ---
// Products of matrices in registers. One invocation: 8 consecutive rows x 1 or 2 blocks of 4 columns. A value of a row is used 4 or
// 8 times, one of a column 8 times. The inner dimension is lines of taps of steps of 4. The problem defines:
//   matrices(), rows(), blocks(), steps()                     how many; rows and blocks of a matrix, steps of a tap
//   Row, row_at(matrix, r)                                    row r; beyond the last it repeats it
//   Tap, no_line(matrix), next_line(t), is_line(t)            the lines of taps of a matrix: each is its place before its first tap
//   next_tap(t), is_tap(t)                                    the taps of a line; without HAS_TAPS there is one tap, and no loop
//   start(row, t, block)                                      where the row's values under a tap begin, for this block of columns
//   weights(matrix, t)                                        where the columns' values under a tap begin
//   row4(at, c), block4(first, c, block)                      step c of a row; of a block, as 4x4: a column for each value of the row
//   store(matrix, r, block, v)                                stores four columns of a row

// Two blocks per invocation, or one.
override PAIR: bool = true;

fn compute(i: u32) {
    let columns = select(blocks(), (blocks() + 1u) / 2u, PAIR);
    let bands = (rows() + 7u) / 8u;
    let matrix = i / columns / bands;
    if matrix >= matrices() { return; }
    let block = i % columns * select(1u, 2u, PAIR);
    let second = min(block + 1u, blocks() - 1u);
    let r = i / columns % bands * 8u;
    let r0 = row_at(matrix, r); let r1 = row_at(matrix, r + 1u); let r2 = row_at(matrix, r + 2u); let r3 = row_at(matrix, r + 3u);
    let r4 = row_at(matrix, r + 4u); let r5 = row_at(matrix, r + 5u); let r6 = row_at(matrix, r + 6u); let r7 = row_at(matrix, r + 7u);
    var a0 = vec4<f32>(0.0); var a1 = a0; var a2 = a0; var a3 = a0; var a4 = a0; var a5 = a0; var a6 = a0; var a7 = a0;
    var b0 = a0; var b1 = a0; var b2 = a0; var b3 = a0; var b4 = a0; var b5 = a0; var b6 = a0; var b7 = a0;
    let count = steps();
    var line = no_line(matrix);
    loop {
        if HAS_TAPS {
            line = next_line(line);
            if !is_line(line) { break; }
        }
        var t = line;
        loop {
            if HAS_TAPS {
                t = next_tap(t);
                if !is_tap(t) { break; }
            }
            let i0 = start(r0, t, block); let i1 = start(r1, t, block); let i2 = start(r2, t, block); let i3 = start(r3, t, block);
            let i4 = start(r4, t, block); let i5 = start(r5, t, block); let i6 = start(r6, t, block); let i7 = start(r7, t, block);
            let first = weights(matrix, t);
            for (var c = 0u; c < count; c++) {
                let x0 = row4(i0, c); let x1 = row4(i1, c); let x2 = row4(i2, c); let x3 = row4(i3, c);
                let x4 = row4(i4, c); let x5 = row4(i5, c); let x6 = row4(i6, c); let x7 = row4(i7, c);
                let wa = block4(first, c, block);
                a0 += wa * x0; a1 += wa * x1; a2 += wa * x2; a3 += wa * x3;
                a4 += wa * x4; a5 += wa * x5; a6 += wa * x6; a7 += wa * x7;
                if PAIR {
                    let wb = block4(first, c, second);
                    b0 += wb * x0; b1 += wb * x1; b2 += wb * x2; b3 += wb * x3;
                    b4 += wb * x4; b5 += wb * x5; b6 += wb * x6; b7 += wb * x7;
                }
            }
            if !HAS_TAPS { break; }
        }
        if !HAS_TAPS { break; }
    }
    // A loop, since every store in the text costs compile time.
    for (var at = r; at < min(r + 8u, rows()); at++) {
        store(matrix, at, block, a0);
        if PAIR && block + 1u < blocks() { store(matrix, at, block + 1u, b0); }
        a0 = a1; a1 = a2; a2 = a3; a3 = a4; a4 = a5; a5 = a6; a6 = a7;
        b0 = b1; b1 = b2; b2 = b3; b3 = b4; b4 = b5; b5 = b6; b6 = b7;
    }
}
