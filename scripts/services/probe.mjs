// @ts-check
/**
 * Is there a PostgreSQL, a RabbitMQ behind this address? Asked in their own protocols with Node alone,
 * since the drivers are not installed yet when services start.
 */
import { connect } from 'node:net';
import { isAlive, poll } from '../processes.mjs';

/** A server under another command's heavy load may be slow to answer; it must not be taken for dead and restarted. */
const PATIENCE_MS = 15_000;

/**
 * @param {import('../processes.mjs').KnownProcess | undefined} process
 * @param {() => Promise<boolean>} answers
 * @returns {Promise<boolean>}
 */
export async function answersWhileAlive(process, answers) {
  const result = await poll(async () => (isAlive(process) ? (await answers()) || undefined : false), {
    timeoutMs: PATIENCE_MS,
  });
  return result === true;
}

/**
 * PostgreSQL that takes sessions asks for a password (or lets in); one that starts, stops or recovers answers an error.
 * @param {{ host: string, port: number, user: string, database: string }} target
 * @returns {Promise<boolean>}
 */
export async function postgresAnswers({ host, port, user, database }) {
  const parameters = Buffer.from(`user\0${user}\0database\0${database}\0\0`);
  const startup = Buffer.alloc(8);
  startup.writeInt32BE(8 + parameters.length, 0);
  startup.writeInt32BE(196_608, 4); // protocol 3.0
  const answer = await exchange({
    host,
    port,
    send: [Buffer.concat([startup, parameters])],
    until: (data) => data.length >= 1,
  });
  return answer?.[0] === 0x52; // 'R': authentication
}

/**
 * RabbitMQ that has booted and knows the user answers the login with `connection.tune`; a wrong password closes the socket.
 * @param {{ host: string, port: number, user: string, password: string }} target
 * @returns {Promise<boolean>}
 */
export async function rabbitmqAnswers({ host, port, user, password }) {
  const response = Buffer.from(`\0${user}\0${password}`);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(response.length);
  const startOk = Buffer.concat([
    Buffer.from([0, 10, 0, 11, 0, 0, 0, 0]), // connection.start-ok, no client properties
    Buffer.from([5]),
    Buffer.from('PLAIN'),
    length,
    response,
    Buffer.from([5]),
    Buffer.from('en_US'),
  ]);
  const frame = Buffer.alloc(7);
  frame.writeUInt8(1, 0); // a method, on channel 0
  frame.writeUInt32BE(startOk.length, 3);
  const answer = await exchange({
    host,
    port,
    send: [Buffer.from('AMQP\0\0\x09\x01', 'latin1'), Buffer.concat([frame, startOk, Buffer.from([0xce])])],
    until: (data) => data.length >= 11,
  });
  return answer !== undefined && answer.length >= 11 && answer.readUInt16BE(7) === 10 && answer.readUInt16BE(9) === 30;
}

/**
 * @param {{ host: string, port: number }} target
 * @returns {Promise<boolean>}
 */
export async function portAnswers({ host, port }) {
  return (await exchange({ host, port, send: [], until: () => true })) !== undefined;
}

/**
 * Sends each part after the answer to the one before, and gives the answer to the last.
 * @param {{ host: string, port: number, send: Buffer[], until: (data: Buffer) => boolean }} conversation
 * @returns {Promise<Buffer | undefined>} undefined when nothing useful came within a second and a half
 */
function exchange({ host, port, send, until }) {
  return new Promise((resolve) => {
    let received = Buffer.alloc(0);
    let sent = 0;
    const socket = connect({ host, port });
    const finish = (/** @type {Buffer | undefined} */ answer) => {
      socket.destroy();
      resolve(answer);
    };
    const next = () => {
      received = Buffer.alloc(0);
      if (sent < send.length) socket.write(/** @type {Buffer} */ (send[sent++]));
    };
    socket.setTimeout(1_500, () => finish(undefined));
    socket.once('error', () => finish(undefined));
    socket.once('close', () => finish(undefined));
    socket.once('connect', () => (send.length === 0 ? finish(received) : next()));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (!until(received)) return;
      if (sent === send.length) finish(received);
      else next();
    });
  });
}
