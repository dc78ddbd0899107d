// A small client of Seawall for Node, after docs/protocol.md, with nothing but Node's own modules.
//
//   node examples/node/seawall.mjs tcp://127.0.0.1:7400 100 1
//
// greets, asks what is listed, sends an order for account 100 on instrument 1, cancels it, and prints
// one line of JSON for each answer. Programs of more than a page take the npm packages zeromq and
// @msgpack/msgpack in the place of the first two parts.

import net from "node:net";

// MessagePack: what the protocol needs of it. Whole numbers beyond 2^53 are BigInts.

export function pack(value) {
  if (value === null || value === undefined) return Buffer.from([0xc0]);
  if (value === false) return Buffer.from([0xc2]);
  if (value === true) return Buffer.from([0xc3]);
  if (typeof value === "number" || typeof value === "bigint") {
    const whole = BigInt(value);
    if (whole >= 0n && whole < 128n) return Buffer.from([Number(whole)]);
    const data = Buffer.alloc(9);
    data[0] = whole < 0n ? 0xd3 : 0xcf;
    if (whole < 0n) data.writeBigInt64BE(whole, 1);
    else data.writeBigUInt64BE(whole, 1);
    return data;
  }
  if (typeof value === "string") {
    const text = Buffer.from(value, "utf8");
    const head = Buffer.alloc(5);
    head[0] = 0xdb;
    head.writeUInt32BE(text.length, 1);
    return Buffer.concat([head, text]);
  }
  const head = Buffer.alloc(5);
  head[0] = 0xdd;
  head.writeUInt32BE(value.length, 1);
  return Buffer.concat([head, ...value.map(pack)]);
}

export function unpack(data) {
  let place = 0;
  const whole = (bytes, read) => {
    const value = data[read](place);
    place += bytes;
    return typeof value === "bigint" && value >= -(2n ** 53n) && value <= 2n ** 53n
      ? Number(value)
      : value;
  };
  const text = (length) => {
    place += length;
    return data.toString("utf8", place - length, place);
  };
  const list = (length) => Array.from({ length }, one);
  function one() {
    const kind = data[place++];
    if (kind < 0x80) return kind;
    if (kind >= 0xe0) return kind - 256;
    if (kind >= 0xa0 && kind < 0xc0) return text(kind & 31);
    if (kind >= 0x90 && kind < 0xa0) return list(kind & 15);
    switch (kind) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xcc: return whole(1, "readUInt8");
      case 0xcd: return whole(2, "readUInt16BE");
      case 0xce: return whole(4, "readUInt32BE");
      case 0xcf: return whole(8, "readBigUInt64BE");
      case 0xd0: return whole(1, "readInt8");
      case 0xd1: return whole(2, "readInt16BE");
      case 0xd2: return whole(4, "readInt32BE");
      case 0xd3: return whole(8, "readBigInt64BE");
      case 0xd9: return text(whole(1, "readUInt8"));
      case 0xda: return text(whole(2, "readUInt16BE"));
      case 0xdb: return text(whole(4, "readUInt32BE"));
      case 0xdc: return list(whole(2, "readUInt16BE"));
      case 0xdd: return list(whole(4, "readUInt32BE"));
    }
    throw new Error(`MessagePack 0x${kind.toString(16)} is not part of the protocol`);
  }
  return one();
}

// ZMTP 3 without keys: one DEALER connection, messages of one frame.

class Line {
  constructor(address) {
    const { hostname, port } = new URL(address.replace("tcp:", "http:"));
    this.left = Buffer.alloc(0);
    this.greeted = false;
    this.messages = [];
    this.waiting = [];
    this.socket = net.connect(Number(port), hostname);
    this.socket.on("data", (data) => this.hear(data));
    const mechanism = Buffer.alloc(20);
    mechanism.write("NULL");
    this.socket.write(Buffer.concat([
      Buffer.from([0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0]), mechanism, Buffer.alloc(32),
    ]));
    // Each side waits for the other: greeting, then READY, then messages.
    this.ready = false;
    this.unsent = [];
  }

  greet() {
    const type = Buffer.from("\x05READY\x0bSocket-Type\0\0\0\x06DEALER", "latin1");
    this.socket.write(Buffer.concat([Buffer.from([4, type.length]), type]));
  }

  send(body) {
    const head = Buffer.alloc(9);
    head[0] = 2;
    head.writeBigUInt64BE(BigInt(body.length), 1);
    this.unsent.push(Buffer.concat([head, body]));
    this.flush();
  }

  flush() {
    while (this.ready && this.unsent.length) this.socket.write(this.unsent.shift());
  }

  hear(data) {
    this.left = Buffer.concat([this.left, data]);
    if (!this.greeted && this.left.length >= 64) {
      this.greeted = true;
      this.greet();
      this.left = this.left.subarray(64);
    }
    while (this.greeted && this.left.length >= 2) {
      const flags = this.left[0];
      const long = flags & 2;
      if (long && this.left.length < 9) return;
      const size = long ? Number(this.left.readBigUInt64BE(1)) : this.left[1];
      const from = long ? 9 : 2;
      if (this.left.length < from + size) return;
      this.take(flags, this.left.subarray(from, from + size));
      this.left = this.left.subarray(from + size);
    }
  }

  take(flags, body) {
    if (flags & 4) {
      // A command: READY opens the way; of the others only the heartbeat wants an answer, with
      // what it brought.
      if (body.toString("latin1", 1, 6) === "READY") {
        this.ready = true;
        this.flush();
      }
      if (body.toString("latin1", 1, 5) !== "PING") return;
      const pong = Buffer.concat([Buffer.from("\x04PONG", "latin1"), body.subarray(7)]);
      this.socket.write(Buffer.concat([Buffer.from([4, pong.length]), pong]));
      return;
    }
    const waiting = this.waiting.shift();
    if (waiting) waiting(unpack(body));
    else this.messages.push(unpack(body));
  }

  receive() {
    if (this.messages.length) return Promise.resolve(this.messages.shift());
    return new Promise((done) => this.waiting.push(done));
  }
}

// Commands whose fields are not all numbers, true or false: the gateway looks at those.
const WITH_TEXT = new Set(["AddAsset", "AddInstrument", "SetRulebook", "QueryRisk"]);

export function check(command) {
  const [name, ...fields] = command;
  if (typeof name !== "string") throw new TypeError(`a command begins with its name, not ${name}`);
  if (WITH_TEXT.has(name)) return;
  fields.forEach((field, place) => {
    const whole = typeof field === "bigint" || Number.isSafeInteger(field);
    if (typeof field !== "boolean" && !(whole && BigInt.asIntN(64, BigInt(field)) == field)) {
      throw new TypeError(`${name}: field ${place + 1} is ${field}; a whole number of 64 bits is due`);
    }
  });
}

// The protocol: a greeting, then requests that are numbered and answered once each.

export class Client {
  constructor(address) {
    this.line = new Line(address);
    // Run numbers grow with the time: microseconds, then 11 bits by chance.
    this.run = (BigInt(Date.now()) * 1000n << 11n) + BigInt(Math.floor(Math.random() * 2048));
    this.next = 1;
    this.replies = new Map();
    this.events = [];
  }

  async connect() {
    this.line.send(pack(["Hello", 2, this.run, 0, null]));
    const [tag, ...fields] = await this.line.receive();
    if (tag !== "Welcome") throw new Error(`${tag}: ${fields.join(", ")}`);
    return fields;
  }

  async call(command) {
    check(command);
    return (await this.ask([command]))[0];
  }

  // Several in one frame; each has an answer of its own, whatever is wrong with the others.
  async ask(commands) {
    const requests = commands.map((command) => [this.next++, command]);
    this.line.send(pack(["Submit", this.run, requests]));
    const replies = [];
    for (const [number] of requests) {
      while (!this.replies.has(number)) this.take(await this.line.receive());
      replies.push(this.replies.get(number));
      this.replies.delete(number);
    }
    return replies;
  }

  take([tag, ...fields]) {
    // Other tags, and fields behind those named here, are of later versions: they are passed over.
    if (tag === "Refused") throw new Error(fields[0]);
    if (tag !== "Delivery") return;
    const [, replies, events] = fields;
    for (const [numbers, orderIds, answers] of replies) {
      numbers.forEach((number, place) => {
        this.replies.set(number, { orderId: orderIds[place], events: answers[place] });
      });
    }
    for (const list of events) this.events.push(...list);
  }

  close() {
    this.line.socket.destroy();
  }
}

const text = (value) => JSON.stringify(value, (_, inner) =>
  typeof inner === "bigint" ? inner.toString() : inner);

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const [address, account, instrument] = process.argv.slice(2);
  const client = new Client(address);
  console.log(text({ welcome: await client.connect() }));
  console.log(text(await client.call(["QueryMarket", 0])));
  const order = ["SubmitOrder", 0, Number(account), Number(instrument), 0, 1, 3, 9_000];
  const sent = await client.call(order);
  console.log(text(sent));
  console.log(text(await client.call(["CancelOrder", 0, Number(account), sent.orderId])));
  console.log(text(await client.call(["CancelOrder", 0, Number(account), 999_999])));
  console.log(text({ events: client.events }));
  client.close();
}
