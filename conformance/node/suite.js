// The conformance suite of the Nacos SDK for Node.js: the unchanged official client against a running server.
//
// The contract (environment, steps, output) is in ../README.md.
'use strict';

const { spawn } = require('child_process');
const fs = require('fs');
const net = require('net');
const os = require('os');
const path = require('path');
const { NacosConfigClient, NacosNamingClient } = require('nacos');

// Longest time for one poll of something that the server should show at once.
const SETTLE_MS = 15000;
// Longest time for a change to reach a subscriber. It polls every 10 s: so UDP pushes count.
const PUSH_MS = 6000;
// How long nothing must happen where nothing may.
const QUIET_MS = 1000;
// How many configs one client listens to in the step about many.
const LISTENERS = 100;
// Longer than what a dead node's clients had registered stays listed, unless they are back at another node.
const DEATH_MS = 25000;
// How long the servers stay away in the outage step.
const OUTAGE_MS = 8000;
// Longest time for a client to come back by itself after the outage.
const RECOVER_MS = 60000;
// HTTP instances live by beats: without one for 15 s they are unhealthy, for 30 s removed.
const UNHEALTHY_MS = 15000;
const REMOVED_MS = 30000;

const GROUP = 'DEFAULT_GROUP';
const TEST_IP = '10.1.2.3';
const RUN = `${Date.now().toString(16)}-${process.pid}`;
const ADDRESS = process.env.TRINE_ADDR || '';
// Where every client is that another one is checked with: another node, if there is one.
const CHECK_ADDRESS = process.env.TRINE_CHECK_ADDR || ADDRESS;
// All nodes, if there are several, with commas between them.
const ADDRESSES = process.env.TRINE_ADDRS || '';
const USER = process.env.TRINE_USER || '';
const PASSWORD = process.env.TRINE_PASSWORD || '';
const SCRATCH = process.env.TRINE_SCRATCH || fs.mkdtempSync(path.join(os.tmpdir(), 'trine-conformance-node-'));

class NotOffered extends Error {}

const sleep = ms => new Promise(done => setTimeout(done, ms));

// A service or config name that no other run uses.
const name = noun => `conf-node-${noun}-${RUN}`;

const log = fs.createWriteStream(path.join(SCRATCH, `node-${process.pid}.log`), { flags: 'a' });

function write(level, parts) {
  log.write(`${new Date().toISOString()} ${level} ${parts.map(part => (part instanceof Error ? part.stack : String(part))).join(' ')}\n`);
}

const logger = Object.fromEntries(['debug', 'info', 'warn', 'error', 'log'].map(level => [ level, (...parts) => write(level, parts) ]));

function credentials(password) {
  return USER ? { username: USER, password } : {};
}

async function naming(address = ADDRESS) {
  const client = new NacosNamingClient(Object.assign({ logger, serverList: address.split(','), namespace: 'public' }, credentials(PASSWORD)));
  // Without a listener an emitter throws, and then an outage would end the application.
  client.on('error', error => write('error', [ error ]));
  client._hostReactor.on('error', error => write('error', [ error ]));
  await client.ready();
  return client;
}

let configCount = 0;

// NacosConfigClient puts all config clients of a machine behind one of them, at a port of the machine. The steps need
// clients that are independent, so they use the one behind it.
async function config(address = ADDRESS, password = PASSWORD) {
  const client = new NacosConfigClient.DataClient(Object.assign({
    serverAddr: address,
    // One cache for each client, so that one never answers from what another stored.
    cacheDir: path.join(SCRATCH, `cache-${process.pid}-${++configCount}`),
    requestTimeout: 3000,
  }, credentials(password)));
  client.on('error', error => write('error', [ error ]));
  await client.ready();
  return client;
}

// Polls until check succeeds; its last error tells what was still missing.
async function until(limitMs, check) {
  const end = Date.now() + limitMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() >= end) throw new Error(`after ${limitMs / 1000} s: ${error.message}`);
    }
    await sleep(200);
  }
}

function dial(address = ADDRESS) {
  return new Promise((done, failed) => {
    const colon = address.lastIndexOf(':');
    const socket = net.connect(Number(address.slice(colon + 1)), address.slice(0, colon));
    socket.setTimeout(1000, () => socket.destroy(new Error('no answer')));
    socket.once('error', failed);
    socket.once('connect', () => { socket.destroy(); done(); });
  });
}

// Services and instances

const instanceAt = port => ({ ip: TEST_IP, port, weight: 2, metadata: { zone: 'a' } });

function wantPorts(instances, want) {
  const found = instances.map(instance => instance.port).sort();
  if (JSON.stringify(found) !== JSON.stringify(want)) throw new Error(`ports ${JSON.stringify(found)}, wanted ${JSON.stringify(want)}`);
}

// Polls the server itself, past the cache of the client. A list without any instance cannot be seen: the SDK keeps the old one then.
function awaitPorts(client, service, want, limitMs = SETTLE_MS) {
  return until(limitMs, async () => wantPorts(await client.getAllInstances(service, GROUP, '', false), want));
}

function pushes() {
  const seen = { last: null };
  seen.take = instances => { seen.last = instances.slice(); };
  seen.wait = (want, limitMs = PUSH_MS) => until(limitMs, async () => {
    if (!seen.last) throw new Error('no push');
    wantPorts(seen.last, want);
  });
  return seen;
}

async function register() {
  const client = await naming();
  const other = await naming(CHECK_ADDRESS);
  const service = name('register');
  await client.registerInstance(service, instanceAt(8001));
  await awaitPorts(other, service, [ 8001 ]);
  await client.close();
  await other.close();
}

async function list() {
  const client = await naming();
  const other = await naming(CHECK_ADDRESS);
  const service = name('list');
  await client.registerInstance(service, instanceAt(8001));
  await other.registerInstance(service, instanceAt(8002));
  await awaitPorts(client, service, [ 8001, 8002 ]);
  const healthy = await client.selectInstances(service, GROUP, '', true, false);
  wantPorts(healthy, [ 8001, 8002 ]);
  for (const instance of healthy) {
    if (instance.ip !== TEST_IP || instance.weight !== 2 || instance.ephemeral !== true || instance.clusterName !== 'DEFAULT' || instance.metadata.zone !== 'a') {
      throw new Error(`the instance came back as ${JSON.stringify(instance)}`);
    }
  }
  if (await client.getServerStatus() !== 'UP') throw new Error('the server status is not UP');
  await client.close();
  await other.close();
}

async function subscribe() {
  const reader = await naming();
  const writer = await naming(CHECK_ADDRESS);
  const service = name('subscribe');
  await reader.registerInstance(service, instanceAt(8001));
  const seen = pushes();
  reader.subscribe({ serviceName: service, groupName: GROUP }, seen.take);
  await seen.wait([ 8001 ]);
  await writer.registerInstance(service, instanceAt(8002));
  await seen.wait([ 8001, 8002 ]);
  await writer.deregisterInstance(service, instanceAt(8002));
  await seen.wait([ 8001 ]);
  reader.unSubscribe({ serviceName: service, groupName: GROUP }, seen.take);
  await reader.close();
  await writer.close();
}

// Nothing is told after an unsubscribe; another client is the witness that there was something.
async function unsubscribe() {
  const reader = await naming();
  const witness = await naming(CHECK_ADDRESS);
  const service = name('unsubscribe');
  await witness.registerInstance(service, instanceAt(8001));
  const seen = pushes();
  const witnessed = pushes();
  reader.subscribe({ serviceName: service, groupName: GROUP }, seen.take);
  witness.subscribe({ serviceName: service, groupName: GROUP }, witnessed.take);
  await seen.wait([ 8001 ]);
  await witnessed.wait([ 8001 ]);
  reader.unSubscribe({ serviceName: service, groupName: GROUP }, seen.take);
  seen.last = null;
  await reader.registerInstance(service, instanceAt(8002));
  await witnessed.wait([ 8001, 8002 ]);
  await sleep(QUIET_MS);
  if (seen.last) throw new Error('a push after the unsubscribe');
  await reader.close();
  await witness.close();
}

async function batch() {
  throw new NotOffered('the SDK has no batches');
}

// A persistent instance needs no beats, and another client takes it away.
async function persistent() {
  const owner = await naming();
  const other = await naming(CHECK_ADDRESS);
  const service = name('persistent');
  const instance = Object.assign(instanceAt(8001), { ephemeral: false });
  await owner.registerInstance(service, instance);
  await awaitPorts(other, service, [ 8001 ]);
  const [ found ] = await other.getAllInstances(service, GROUP, '', false);
  if (found.ephemeral !== false) throw new Error(`the persistent instance came back as ${JSON.stringify(found)}`);
  // A list without any instance cannot be seen: so another one stays.
  await owner.registerInstance(service, Object.assign(instanceAt(8002), { ephemeral: false }));
  await awaitPorts(other, service, [ 8001, 8002 ]);
  await other.deregisterInstance(service, instance);
  await awaitPorts(other, service, [ 8002 ]);
  await owner.close();
  await other.close();
}

// Kills another process that registered an instance and never deregistered it. Takes about a minute, so it runs beside other steps.
async function die() {
  const client = await naming(CHECK_ADDRESS);
  const service = name('die');
  await client.registerInstance(service, instanceAt(8001));
  const victim = spawn(process.execPath, [ __filename, 'die', service ], { stdio: [ 'ignore', 'pipe', 'inherit' ] });
  try {
    const line = await new Promise((done, failed) => {
      victim.once('exit', code => failed(new Error(`the second process ended with ${code}`)));
      victim.stdout.once('data', data => done(String(data).trim()));
    });
    if (line !== 'registered') throw new Error(`the second process did not register: ${line}`);
    victim.removeAllListeners('exit');
    const lived = Date.now();
    await awaitPorts(client, service, [ 8001, 8002 ]);
    // Longer than an instance without beats stays healthy: so its beats count.
    while (Date.now() - lived < UNHEALTHY_MS + 4000) {
      await sleep(1000);
      const alive = await client.getAllInstances(service, GROUP, '', false);
      wantPorts(alive.filter(instance => instance.healthy), [ 8001, 8002 ]);
    }
    victim.kill('SIGKILL');
    const killed = Date.now();
    await until(UNHEALTHY_MS + 10000, async () => {
      const left = await client.getAllInstances(service, GROUP, '', false);
      wantPorts(left.filter(instance => instance.healthy), [ 8001 ]);
    });
    await awaitPorts(client, service, [ 8001 ], killed + REMOVED_MS + 10000 - Date.now());
  } finally {
    victim.kill('SIGKILL');
  }
  await client.close();
}

// The life of the second process of die.
async function liveUntilKilled(service) {
  const client = await naming();
  await client.registerInstance(service, instanceAt(8002));
  process.stdout.write('registered\n');
  await sleep(300000);
}

// Configs

async function wantContent(client, dataId, want) {
  const found = await client.getConfig(dataId, GROUP);
  if (found !== want) throw new Error(`content ${JSON.stringify(found)}, wanted ${JSON.stringify(want)}`);
}

// For steps that show something else than what a read answers right after a publish.
function awaitContent(client, dataId, want) {
  return until(SETTLE_MS, () => wantContent(client, dataId, want));
}

async function put(client, dataId, content) {
  if (await client.publishSingle(dataId, GROUP, content) !== true) throw new Error('publish: the SDK did not answer true');
}

// Shows that the right password serves and that a wrong one does not. This SDK sends both with every request.
async function login() {
  if (!USER) throw new NotOffered('no user given, so the server asks for none');
  const client = await config();
  await put(client, name('login'), 'one');
  await awaitContent(client, name('login'), 'one');
  const intruder = await config(ADDRESS, PASSWORD + '-wrong');
  let refused = false;
  await put(intruder, name('intruder'), 'no').catch(() => { refused = true; });
  if (!refused) throw new Error('a publish with a wrong password was accepted');
  client.close();
  intruder.close();
}

async function publish() {
  const client = await config();
  for (const content of [ 'one', 'two' ]) {
    await put(client, name('publish'), content);
    await wantContent(client, name('publish'), content);
  }
  client.close();
}

async function cas() {
  throw new NotOffered('the SDK has no compare-and-set');
}

async function get() {
  const client = await config();
  const content = 'name: 值\nline: "two" & <three>\n';
  const other = await config(CHECK_ADDRESS);
  await put(other, name('get'), content);
  await awaitContent(client, name('get'), content);
  await awaitContent(client, name('absent'), null);
  client.close();
  other.close();
}

function changes() {
  const seen = { count: 0, last: undefined };
  seen.take = content => { seen.count++; seen.last = content; };
  seen.wait = (want, limitMs = SETTLE_MS) => until(limitMs, async () => {
    if (seen.last !== want) throw new Error(`the listener was called ${seen.count} times, last with ${JSON.stringify(seen.last)}, wanted ${JSON.stringify(want)}`);
  });
  return seen;
}

async function listen() {
  const client = await config();
  const other = await config(CHECK_ADDRESS);
  const dataId = name('listen');
  await put(client, dataId, 'one');
  const seen = changes();
  client.subscribe({ dataId, group: GROUP }, seen.take);
  await seen.wait('one');
  for (const content of [ 'two', 'three' ]) {
    await put(other, dataId, content);
    await seen.wait(content);
  }
  client.unSubscribe({ dataId, group: GROUP }, seen.take);
  client.close();
  other.close();
}

// One client listens to many configs at once; each of its listeners hears of its own.
async function manyListeners() {
  const client = await config();
  const other = await config(CHECK_ADDRESS);
  const seen = Array.from({ length: LISTENERS }, changes);
  const dataId = number => name(`many${number}`);
  for (const [ number, each ] of seen.entries()) {
    await put(other, dataId(number), 'one');
    client.subscribe({ dataId: dataId(number), group: GROUP }, each.take);
  }
  for (const each of seen) await each.wait('one');
  for (const number of seen.keys()) await put(other, dataId(number), `two${number}`);
  for (const [ number, each ] of seen.entries()) await each.wait(`two${number}`);
  client.close();
  other.close();
}

async function gray() {
  throw new NotOffered('the SDK publishes no gray versions');
}

async function remove() {
  const client = await config();
  const other = await config(CHECK_ADDRESS);
  await put(other, name('remove'), 'one');
  if (await client.remove(name('remove'), GROUP) !== true) throw new Error('remove: the SDK did not answer true');
  await awaitContent(other, name('remove'), null);
  client.close();
  other.close();
}

// Outages

// Runs the shell command of a variable of the contract.
function control(variable, ...parts) {
  return new Promise((done, failed) => {
    const child = spawn('sh', [ '-c', [ process.env[variable], ...parts ].join(' ') ], { stdio: [ 'ignore', 'pipe', 'pipe' ] });
    let out = '';
    child.stdout.on('data', data => { out += data; });
    child.stderr.on('data', data => { out += data; });
    child.once('error', failed);
    child.once('exit', code => (code === 0 ? done() : failed(new Error(`${variable} ended with ${code}: ${out}`))));
  });
}

function awaitGone(address) {
  return until(SETTLE_MS, async () => {
    if (await dial(address).then(() => true, () => false)) throw new Error('the server still accepts connections after TRINE_STOP');
  });
}

// One node after the other is killed: clients that know all of them go on at the others by themselves. The SDK chooses its
// node by chance: so each client loses its node at least once.
async function nodeLost() {
  if (!ADDRESSES || !process.env.TRINE_STOP || !process.env.TRINE_START) throw new NotOffered('there is one node only');
  const service = name('node-lost');
  const dataId = name('node-lost');
  const provider = await naming(ADDRESSES);
  const consumer = await naming(ADDRESSES);
  const listener = await config(ADDRESSES);
  await provider.registerInstance(service, instanceAt(8001));
  const pushed = pushes();
  consumer.subscribe({ serviceName: service, groupName: GROUP }, pushed.take);
  await pushed.wait([ 8001 ], SETTLE_MS);
  await put(listener, dataId, 'one');
  const changed = changes();
  listener.subscribe({ dataId, group: GROUP }, changed.take);
  await changed.wait('one');
  const nodes = ADDRESSES.split(',');
  for (const [ number, lost ] of nodes.entries()) {
    await control('TRINE_STOP', lost);
    const sure = Date.now() + DEATH_MS;
    try {
      await awaitGone(lost);
      const alive = nodes[(number + 1) % nodes.length];
      const other = await naming(alive);
      const writer = await config(alive);
      await other.registerInstance(service, instanceAt(8002));
      await pushed.wait([ 8001, 8002 ], RECOVER_MS);
      for (const [ client, content ] of [ [ writer, `other ${number}` ], [ listener, `own ${number}` ] ]) {
        await until(RECOVER_MS, () => put(client, dataId, content));
        await awaitContent(writer, dataId, content);
        await changed.wait(content, RECOVER_MS);
      }
      await other.deregisterInstance(service, instanceAt(8002));
      await pushed.wait([ 8001 ], RECOVER_MS);
      // An instance that has no beats anywhere is gone by then.
      await sleep(Math.max(0, sure - Date.now()));
      await awaitPorts(other, service, [ 8001 ], 0);
      await other.close();
      writer.close();
    } finally {
      // Whatever went wrong, the node is put back for whoever comes next.
      await control('TRINE_START', lost);
    }
  }
  // A list without any instance cannot be seen: so another one stays.
  await consumer.registerInstance(service, instanceAt(8003));
  await provider.deregisterInstance(service, instanceAt(8001));
  for (const node of nodes) {
    const client = await naming(node);
    await awaitPorts(client, service, [ 8003 ]);
    await client.close();
  }
  await provider.close();
  await consumer.close();
  listener.close();
}

// All servers go away and come back: the application goes on with what it knew, and recovers by itself.
async function outage() {
  if (!process.env.TRINE_STOP || !process.env.TRINE_START) throw new NotOffered('TRINE_STOP and TRINE_START are not given');
  const service = name('outage');
  const dataId = name('outage');
  const provider = await naming();
  const consumer = await naming();
  const listener = await config();
  await provider.registerInstance(service, instanceAt(8001));
  const pushed = pushes();
  consumer.subscribe({ serviceName: service, groupName: GROUP }, pushed.take);
  await pushed.wait([ 8001 ]);
  await put(listener, dataId, 'one');
  const changed = changes();
  listener.subscribe({ dataId, group: GROUP }, changed.take);
  await changed.wait('one');

  await control('TRINE_STOP');
  try {
    await awaitGone(ADDRESS);
    const end = Date.now() + OUTAGE_MS;
    while (Date.now() < end) {
      // The key that the subscription of this SDK keeps up to date.
      wantPorts(await consumer.getAllInstances(service, GROUP, 'DEFAULT', true), [ 8001 ]);
      await sleep(500);
    }
    await wantContent(listener, dataId, 'one');
  } finally {
    // Whatever went wrong, the server is put back for whoever comes next.
    await control('TRINE_START');
  }

  const fresh = await naming(CHECK_ADDRESS);
  await awaitPorts(fresh, service, [ 8001 ], RECOVER_MS);
  await fresh.registerInstance(service, instanceAt(8002));
  // Only with its next poll the consumer asks the new server for pushes.
  await pushed.wait([ 8001, 8002 ], SETTLE_MS);
  const writer = await config(CHECK_ADDRESS);
  await awaitContent(writer, dataId, 'one');
  await put(writer, dataId, 'two');
  await changed.wait('two', SETTLE_MS * 2);
}

// Runs one step; one that hangs fails alone.
async function run(limitMs, body, reachable) {
  if (!reachable) return `fail the server cannot be reached at ${ADDRESS}`;
  try {
    let timer;
    const late = new Promise((_, failed) => { timer = setTimeout(() => failed(new Error(`not finished after ${limitMs / 1000} s`)), limitMs); });
    await Promise.race([ body(), late ]);
    clearTimeout(timer);
    return 'ok';
  } catch (error) {
    return `${error instanceof NotOffered ? 'n/a' : 'fail'} ${error.message}`;
  }
}

async function main() {
  const reachable = await until(5000, () => dial()).then(() => true, () => false);
  let failed = false;
  const report = async (step, outcome) => {
    const line = `step ${step} ${await outcome}`.replaceAll(PASSWORD || '\n', '***').replace(/\s+/g, ' ').trim();
    failed = failed || line.split(' ')[2] === 'fail';
    process.stdout.write(line + '\n');
  };
  const step = (noun, seconds, body) => report(noun, run(seconds * 1000, body, reachable));
  await step('login', 30, login);
  const dying = run(120000, die, reachable);
  await step('register', 30, register);
  await step('list', 30, list);
  await step('subscribe', 75, subscribe);
  await step('unsubscribe', 60, unsubscribe);
  await step('batch', 30, batch);
  await step('persistent', 30, persistent);
  await step('publish', 30, publish);
  await step('cas_ok', 30, cas);
  await step('cas_conflict', 30, cas);
  await step('get', 30, get);
  await step('listen', 60, listen);
  await step('many_listeners', 90, manyListeners);
  await step('gray', 30, gray);
  await step('remove', 30, remove);
  await report('die', dying);
  await step('node_lost', 300, nodeLost);
  await step('outage', 150, outage);
  return failed;
}

// What the SDK throws outside of any call is logged; the steps judge by what they see.
process.on('unhandledRejection', error => write('error', [ 'unhandled', error ]));
process.on('uncaughtException', error => write('error', [ 'uncaught', error ]));

if (!ADDRESS.includes(':')) {
  process.stderr.write('TRINE_ADDR must be host:port\n');
  process.exit(2);
} else if (process.argv.length === 4 && process.argv[2] === 'die') {
  liveUntilKilled(process.argv[3]).catch(error => { process.stderr.write(`${error.stack}\n`); process.exit(1); });
} else {
  main().then(failed => process.exit(failed ? 1 : 0), error => { process.stderr.write(`${error.stack}\n`); process.exit(2); });
}
