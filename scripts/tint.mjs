// Runs the cases that `convgpu conformance --export DIR` wrote in headless Chromium: the WGSL goes through Tint, Dawn and
// SwiftShader instead of naga, wgpu and this machine's driver, and each result is held to the same bounds.
//
//   convgpu conformance --device cpu --quick --export DIR
//   node scripts/tint.mjs DIR [--gpu] [--only NAME] [--beside LEDGER.json] [--fail-at KERNEL]
//
//   --gpu              the browser's own choice of an adapter instead of SwiftShader
//   --only NAME        checks whose case, operator or kernels contain this
//   --beside LEDGER    what `convgpu conformance --json` found of the same cases on the same driver. A check that is wrong in both is
//                      the driver's fault, or the kernel's, and no failure of this script
//   --fail-at KERNEL   a negative control: in the texts of kernels whose name contains this, each workgroup does the work of the
//                      next one, so that the first one's part of the result is missing
//
// It needs Node 18 and Chromium (Debian: nodejs, chromium; CHROMIUM names another program), and no package. The page fetches the
// files from this script and sends back what it found. Exit status: 0 right; 1 a result is wrong, or nothing was
// checked; 2 the call or a file of it is wrong.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/// The most seconds without a word from the page.
const PATIENCE = 180;

// What the page runs. -----------------------------------------------------------------------------------------------------------

/// `compare` of src/verify/compare.rs: `|actual - right| <= bound`, where NaN equals NaN and infinities equal themselves. Without
/// bounds any finite number will do. `exact` wants equality beside. An element may have the answer of `second` instead.
function compare(actual, right, bounds, exact, second) {
  const out = { wrong: 0, worst: 0, unequal: 0, first: null };
  for (let i = 0; i < right.length; i++) {
    const [a, e, b] = [actual[i], right[i], bounds ? bounds[i] : Infinity];
    if (a === e || (Number.isNaN(a) && Number.isNaN(e))) continue;
    out.unequal += 1;
    if (second && compare([a], [second.right[i]], [second.bounds[i]], exact).wrong === 0) continue;
    const bound = b + (b > 0 ? 2 ** -24 * Math.abs(e) : 0); // the right value is rounded to f32
    const error = Math.abs(a - e);
    const ratio = error / bound;
    if (error <= bound && Number.isFinite(a) && Number.isFinite(e)) {
      out.worst = Math.max(out.worst, Number.isNaN(ratio) ? 0 : ratio);
      if (!exact) continue;
    } else {
      out.wrong += 1;
      out.worst = ratio > 1 ? Math.max(out.worst, ratio) : Infinity;
    }
    out.first ??= `[${i}]: ${a}, expected ${e} (bound ${bound.toExponential(3)})`;
  }
  return out;
}

/// Every check, one after another, and what it gave.
async function replay({ only, failAt }) {
  const say = object => fetch('/', { method: 'POST', body: JSON.stringify(object) });
  const fetched = async name => {
    const answer = await fetch(name);
    if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
    return answer;
  };
  const { STORAGE, UNIFORM, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) throw new Error('the browser has no WebGPU adapter');
  const wanted = ['maxComputeInvocationsPerWorkgroup', 'maxComputeWorkgroupStorageSize', 'maxComputeWorkgroupSizeX'];
  const requiredLimits = Object.fromEntries(wanted.map(name => [name, adapter.limits[name]]));
  const device = await adapter.requestDevice({ requiredLimits });
  device.lost.then(({ message }) => say({ error: `the device is lost: ${message}` }));
  const { vendor, architecture, description } = adapter.info;
  await say({ adapter: [vendor, architecture, description].filter(Boolean).join(' ') });

  const manifest = await (await fetched('manifest.json')).json();
  const edited = new Set();
  const pipelines = new Map();
  const KEPT = 200; // they take memory
  function pipeline(at) {
    if (!pipelines.has(at)) {
      if (pipelines.size >= KEPT) pipelines.delete(pipelines.keys().next().value);
      pipelines.set(at, compiled(manifest.pipelines[at]));
    }
    return pipelines.get(at);
  }

  /// The pipeline with the layouts of its groups; or why there is none.
  async function compiled({ kernel, file, entry, overrides, bindings, workgroup_size: [x, y, z], workgroup_bytes }) {
    const [invocations, memory] = wanted.map(name => device.limits[name]);
    if (x * y * z > invocations) return { skipped: `more than ${invocations} invocations in a workgroup` };
    if (workgroup_bytes > memory) return { skipped: `more than ${memory} bytes of workgroup memory` };
    let code = await (await fetched(file)).text();
    if (failAt !== null && kernel.includes(failAt)) {
      const broken = code.replace('const first_group = 0u;', 'const first_group = 1u;');
      if (broken !== code) edited.add(file);
      code = broken;
    }
    const type = { uniform: 'uniform', read: 'read-only-storage', read_write: 'storage' };
    const groups = [];
    for (const { group, binding, access } of bindings) {
      (groups[group] ??= []).push({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type: type[access] } });
    }
    device.pushErrorScope('validation');
    const module = device.createShaderModule({ code });
    const layouts = groups.map(entries => device.createBindGroupLayout({ entries }));
    const layout = device.createPipelineLayout({ bindGroupLayouts: layouts });
    const made = device.createComputePipelineAsync({ layout, compute: { module, entryPoint: entry, constants: overrides } });
    const invalid = device.popErrorScope();
    const { messages } = await module.getCompilationInfo();
    const complaint = messages.find(({ type }) => type === 'error');
    try {
      return { pipeline: await made, layouts, bindings, failure: (await invalid)?.message };
    } catch (error) {
      return { failure: complaint ? `${kernel}, line ${complaint.lineNum}: ${complaint.message}` : `${kernel}: ${error.message}` };
    }
  }

  // What a word of a buffer is filled with.
  function poison(buffer, word) {
    const payload = Math.imul(word + 40503 * buffer, 0x9e3779b1) >>> 17;
    return (manifest.poison | (payload >>> 9) << 16 | (payload & 0x1ff)) >>> 0;
  }

  async function check({ file, buffers: sizes, poisoned, writes, dispatches, guards, outputs, exact, probable }) {
    const used = await Promise.all(dispatches.map(({ pipeline: at }) => pipeline(at)));
    const unfit = used.find(({ skipped, failure }) => skipped || failure);
    if (unfit) return { skipped: unfit.skipped, failure: unfit.failure };
    const data = await (await fetched(file)).arrayBuffer();

    // Nothing is awaited before the scopes end: other checks have their own.
    const scopes = ['validation', 'out-of-memory', 'internal'];
    scopes.forEach(scope => device.pushErrorScope(scope));
    const buffers = sizes.map(size => device.createBuffer({ size, usage: STORAGE | COPY_SRC | COPY_DST }));
    for (const k of poisoned) device.queue.writeBuffer(buffers[k], 0, Uint32Array.from({ length: sizes[k] / 4 }, (_, word) => poison(k, word)));
    for (const { buffer, offset, at, bytes } of writes) device.queue.writeBuffer(buffers[buffer], offset, data, at, bytes);
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    dispatches.forEach(({ workgroups, resources }, k) => {
      const { pipeline, layouts, bindings } = used[k];
      const bound = ({ buffer, offset, at, bytes }) => {
        if (buffer !== undefined) return { buffer: buffers[buffer], offset, size: bytes };
        const uniform = device.createBuffer({ size: bytes, usage: UNIFORM | COPY_DST });
        device.queue.writeBuffer(uniform, 0, data, at, bytes);
        buffers.push(uniform);
        return { buffer: uniform };
      };
      pass.setPipeline(pipeline);
      layouts.forEach((layout, group) => {
        const own = bindings.map(({ group, binding }, n) => ({ group, binding, resource: resources[n] }));
        const entries = own.filter(b => b.group === group).map(b => ({ binding: b.binding, resource: bound(b.resource) }));
        pass.setBindGroup(group, device.createBindGroup({ layout, entries }));
      });
      pass.dispatchWorkgroups(...workgroups);
    });
    pass.end();
    const parts = [...outputs, ...guards];
    const staging = device.createBuffer({ size: parts.reduce((n, p) => n + p.bytes, 0), usage: MAP_READ | COPY_DST });
    let size = 0;
    const places = parts.map(({ buffer, offset, bytes }) => {
      encoder.copyBufferToBuffer(buffers[buffer], offset, staging, size, bytes);
      return (size += bytes) - bytes;
    });
    device.queue.submit([encoder.finish()]);
    const ended = scopes.map(() => device.popErrorScope());
    const mapped = staging.mapAsync(GPUMapMode.READ).then(() => null, error => error);
    const errors = [...(await Promise.all(ended)), await mapped].filter(Boolean);
    if (errors.length) return { failure: errors[0].message };

    const read = staging.getMappedRange().slice(0);
    [...buffers, staging].forEach(buffer => buffer.destroy());
    const words = { f32: Float32Array, u32: Uint32Array };
    const shorter = { i8: Int8Array, u8: Uint8Array, i16: Int16Array, u16: Uint16Array };
    let [worst, failure] = [0, null];
    outputs.forEach(({ type, shape, right, bounds, or }, k) => {
      const n = shape.reduce((a, b) => a * b, 1);
      const b = bounds === null ? null : new Float32Array(data, bounds, n);
      let actual = new (words[type] ?? Int32Array)(read, places[k], n);
      if (type === 'bool') actual = actual.map(word => (word === 0 ? 0 : 1));
      if (shorter[type]) actual = shorter[type].from(actual); // wraps
      const second = or && or.bounds !== null && { right: new Float64Array(data, or.right, n), bounds: new Float32Array(data, or.bounds, n) };
      const found = compare(actual, new Float64Array(data, right, n), b, exact, second);
      const bad = found.wrong || (exact && found.unequal);
      if (bad) failure ??= `output ${k}: ${bad} of ${n} elements wrong; at ${found.first}`;
      worst = Math.max(worst, found.worst);
    });
    guards.forEach(({ buffer, offset, bytes }, k) => {
      const words = new Uint32Array(read, places[outputs.length + k], bytes / 4);
      if (words.some((word, at) => word !== poison(buffer, offset / 4 + at))) failure ??= `a kernel wrote past a tensor, into #${buffer}[${offset}..]`;
    });
    return { worst: Number.isFinite(worst) ? worst : String(worst), unlikely: worst > probable && worst <= 1, failure };
  }

  const wants = ({ case: id, op, kernels }) => only === null || [id, op, kernels].some(name => name.includes(only));
  const list = manifest.list.map((one, at) => ({ one, at })).filter(({ one }) => wants(one));
  let next = 0;
  async function worker() {
    while (next < list.length) {
      const { one, at } = list[next++];
      await say({ at, all: list.length, ...(await check(one)) });
    }
  }
  await Promise.all([worker(), worker(), worker()]);
  await say({ done: true, edited: edited.size });
}

// What Node runs. ---------------------------------------------------------------------------------------------------------------

/// The comparison knows what the tests of src/verify/compare.rs do, or nothing is checked.
function trust() {
  const is = (a, e, b, exact, wrong, least, most) => {
    const c = compare([a], [e], b === null ? null : [b], exact);
    return c.wrong === wrong && c.worst >= least && c.worst <= most;
  };
  const [nan, inf] = [NaN, Infinity];
  const known = [
    is(2.5, 2, 1e-3, false, 1, 499, 501), is(1.0005, 1, 1e-3, false, 0, 0.4, 0.6), is(nan, 2, 1e-3, false, 1, inf, inf),
    is(3, 2, 0, false, 1, inf, inf), is(nan, nan, 1, false, 0, 0, 0), is(inf, inf, 1, false, 0, 0, 0),
    is(1e30, -2, null, false, 0, 0, 0), is(2 + 2 ** -23, 2, 1e-30, false, 0, 0.9, 1.1), is(-0, 0, 0, true, 0, 0, 0),
    ...[[nan, 1], [inf, 1], [1, nan], [1, inf], [inf, -inf], [nan, inf]].map(([a, e]) => is(a, e, inf, false, 1, 1, inf)),
    compare([1.5], [1], [1], true).unequal === 1,
  ];
  if (!known.every(Boolean)) throw new Error(`the comparison is wrong: ${known}`);
}

/// The call or a file of it is wrong.
function refuse(what) {
  console.error(`error: ${what}`);
  process.exit(2);
}

/// An object that `convgpu conformance` wrote.
function read(file, isOne) {
  try {
    const object = JSON.parse(readFileSync(file, 'utf8'));
    if (isOne(object)) return object;
  } catch (error) {
    refuse(`${file}: ${error.message}`);
  }
  return refuse(`${file} is nothing that convgpu conformance wrote`);
}

function options([...args]) {
  const taken = (name, has) => {
    const at = args.indexOf(name);
    return at < 0 ? null : args.splice(at, has ? 2 : 1)[has ? 1 : 0];
  };
  const values = { only: taken('--only', true), beside: taken('--beside', true), failAt: taken('--fail-at', true) };
  const out = { gpu: taken('--gpu', false) !== null, ...values, folder: args[0] };
  if (args.length !== 1 || args[0].startsWith('-') || Object.values(values).includes(undefined)) {
    refuse('usage: node scripts/tint.mjs DIR [--gpu] [--only NAME] [--beside LEDGER.json] [--fail-at KERNEL]');
  }
  return out;
}

/// Runs the page until it is done, and passes on what it says.
async function browse({ folder, gpu, only, failAt }, program, heard) {
  const script = `${compare}\n${replay}\nreplay(${JSON.stringify({ only, failAt })})`;
  const page = `<!doctype html><script type=module>${script}.catch(e =>
    fetch('/', { method: 'POST', body: JSON.stringify({ error: String(e) }) }))</script>`;
  const profile = mkdtempSync(join(tmpdir(), 'tint-'));
  let [browser, timer] = [null, null];
  const server = createServer();
  try {
    await new Promise((resolve, reject) => {
      const patient = () => {
        clearTimeout(timer);
        timer = setTimeout(() => reject(new Error(`the page says nothing for ${PATIENCE} s`)), PATIENCE * 1000);
      };
      server.on('request', async (request, response) => {
        if (request.method === 'POST') {
          let body = '';
          for await (const piece of request) body += piece;
          response.end();
          patient();
          const said = JSON.parse(body);
          if (said.error) reject(new Error(said.error));
          else if (said.done) resolve(heard(said));
          else heard(said);
        } else if (request.url === '/') {
          response.setHeader('content-type', 'text/html; charset=utf-8').end(page);
        } else if (/^\/(manifest\.json|(shaders|checks)\/[\w.-]+)$/.test(request.url)) {
          try {
            response.end(readFileSync(join(folder, request.url)));
          } catch {
            response.writeHead(404).end();
          }
        } else response.writeHead(404).end();
      });
      server.listen(0, '127.0.0.1', () => {
        const flags = ['--headless', '--no-first-run', '--disable-background-networking', '--disable-component-update',
          '--disable-sync', '--enable-unsafe-webgpu', `--user-data-dir=${profile}`];
        if (!gpu) flags.push('--use-webgpu-adapter=swiftshader', '--enable-features=Vulkan');
        if (process.getuid?.() === 0) flags.push('--no-sandbox'); // Chromium refuses root its sandbox
        browser = spawn(program, [...flags, `http://127.0.0.1:${server.address().port}/`], { stdio: 'ignore' });
        browser.on('error', reject).on('exit', code => reject(new Error(`${program} ended (${code})`)));
        patient();
      });
    });
  } finally {
    clearTimeout(timer);
    server.closeAllConnections();
    server.close();
    if (browser && browser.exitCode === null) {
      await new Promise(resolve => browser.once('exit', resolve).kill());
    }
    // Processes of the browser may outlive it by a moment.
    await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }).catch(() => {});
  }
}

function table(rows) {
  const widths = rows[0].map((_, k) => Math.max(...rows.map(row => row[k].length)));
  const line = row => row.map((cell, k) => (k < 2 ? cell.padEnd(widths[k]) : cell.padStart(widths[k]))).join('  ');
  return rows.map(line).join('\n');
}

async function main() {
  trust();
  const call = options(process.argv.slice(2));
  const program = process.env.CHROMIUM ?? 'chromium';
  const version = spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout?.trim().replace(/ built on.*/, '') ?? program;
  const manifest = read(join(call.folder, 'manifest.json'), ({ list, pipelines }) => list && pipelines);
  const ledgers = call.beside === null ? [] : read(call.beside, ({ ledgers }) => ledgers?.length > 0).ledgers;
  if (!ledgers.every(({ seed }) => seed === manifest.seed)) {
    refuse(`${call.beside} is no ledger of the cases of seed ${manifest.seed}`);
  }
  const check = ({ case: id, what, kernels }) => `${id}: ${what}, ${kernels}`;
  const native = new Set(ledgers.flatMap(({ failures }) => failures.map(check)));
  const rows = new Map();
  const [skipped, failures, both, cases] = [new Map(), [], [], new Set()];
  let [adapter, edited, done, all, unlikely] = ['', 0, 0, null, 0];
  const begin = Date.now();
  const heard = said => {
    if (said.adapter !== undefined) return void (adapter = said.adapter);
    if (said.done) return void (edited = said.edited);
    const one = manifest.list[said.at];
    all = said.all;
    done += 1;
    if (process.stderr.isTTY) process.stderr.write(`\r${done}/${all} `);
    else if (done % 500 === 0) console.error(`${done} of ${all}`);
    if (said.skipped) return void skipped.set(said.skipped, (skipped.get(said.skipped) ?? 0) + 1);
    const key = `${one.op}\t${one.kernels}`;
    const row = rows.get(key) ?? { checks: 0, worst: 0, wrong: 0 };
    rows.set(key, row);
    cases.add(one.case);
    row.checks += 1;
    row.worst = Math.max(row.worst, Number(said.worst ?? Infinity));
    row.wrong += said.failure ? 1 : 0;
    unlikely += said.unlikely ? 1 : 0;
    if (!said.failure) return;
    const name = check(one);
    (native.has(name) ? both : failures).push(`${name}: ${said.failure}`);
  };
  await browse(call, program, heard);
  if (process.stderr.isTTY) process.stderr.write('\r');

  const sorted = [...rows].sort(([a], [b]) => (a < b ? -1 : 1));
  const heading = ['operator', 'kernels', 'checks', 'worst', 'wrong'];
  console.log(table([heading, ...sorted.map(([key, r]) => [...key.split('\t'), `${r.checks}`, r.worst.toFixed(3), `${r.wrong}`])]));
  both.forEach(failure => console.log(`wrong there, too: ${failure}`));
  failures.slice(0, 20).forEach(failure => console.log(failure));
  if (failures.length > 20) console.log(`and ${failures.length - 20} more`);
  for (const [why, count] of Object.entries(manifest.skipped)) console.log(`not exported ${count}: ${why}`);
  for (const [why, count] of skipped) console.log(`skipped ${count}: ${why}`);
  const checks = sorted.reduce((n, [, row]) => n + row.checks, 0);
  if (call.failAt !== null) console.log(`${edited} texts edited by --fail-at ${call.failAt}`);
  const there = call.beside === null ? '' : `, ${both.length} as on ${ledgers.map(({ device }) => device).join(', ')}`;
  const seconds = ((Date.now() - begin) / 1000).toFixed(0);
  console.log(`${cases.size} cases, ${checks} checks of ${rows.size} sets of kernels, ${unlikely} unlikely, ${failures.length} wrong` +
    `${there}, ${seconds} s (seed ${manifest.seed}, kernels of ${manifest.device})`);
  console.log(`${version}, ${adapter}`);
  if (checks === 0 || done !== all) console.error(`error: ${done} of ${all ?? 'no'} checks came back, ${checks} ran`);
  const hitsNothing = call.failAt !== null && edited === 0;
  if (hitsNothing) console.error(`error: no kernel ${call.failAt} was edited`);
  process.exit(failures.length === 0 && checks > 0 && done === all && !hitsNothing ? 0 : 1);
}

main().catch(error => {
  console.error(`error: ${error.message}`);
  process.exit(1);
});
