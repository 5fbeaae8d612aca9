// Tint, Dawn's front end, on the text that browsers get: `node tint.mjs FILE..` beside node_modules/webgpu. Prints a line for each
// file: its name, a tab, and the complaint if it is refused. Nothing runs: Dawn's null backend has no device.
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { create, globals } from 'webgpu';

Object.assign(globalThis, globals);
const gpu = create(['backend=null']); // Dawn's objects do not keep it.
const adapter = await gpu.requestAdapter();
const requiredFeatures = ['shader-f16', 'subgroups'].filter(feature => adapter.features.has(feature));
const device = await adapter.requestDevice({ requiredFeatures });

// The values of the overrides are a comment on the first line.
function overrides(code) {
  const list = code.match(/^\/\* overrides: (.*?) \*\//);
  const pairs = (list?.[1].split(' ') ?? []).map(pair => pair.split('='));
  return Object.fromEntries(pairs.map(([name, value]) => [name, Number(value)]));
}

async function complaint(code) {
  device.pushErrorScope('validation');
  device.pushErrorScope('internal');
  const module = device.createShaderModule({ code });
  const { messages } = await module.getCompilationInfo();
  const errors = messages.filter(({ type }) => type === 'error').map(({ lineNum, message }) => `${lineNum}: ${message}`);
  if (!errors.length) {
    const compute = { module, entryPoint: 'main', constants: overrides(code) };
    await device.createComputePipelineAsync({ layout: 'auto', compute }).catch(error => errors.push(error.message));
  }
  for (const error of [await device.popErrorScope(), await device.popErrorScope()]) if (error) errors.push(error.message);
  return (errors[0] ?? '').replace(/\s+/g, ' ');
}

for (const file of process.argv.slice(2)) console.log(`${basename(file)}\t${await complaint(readFileSync(file, 'utf8'))}`);
process.exit(0); // Dawn's device would keep the process alive.
