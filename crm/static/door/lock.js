// The list of names, sealed twice: under the PIN, made slow to guess, and under a key that this browser keeps and gives
// out to no script. Too many wrong PINs, or the end of the event, and the list is gone from here.

import * as store from './store.js'

export const TRIES = 5
const ROUNDS = 600_000
const LOCK_NAME = 'doorstep-pin'

export class WrongPin extends Error {
  constructor(left) {
    super('wrong PIN')
    this.left = left
  }
}

const bytes = (text) => new TextEncoder().encode(text)
const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, '0')).join('')

export const newLock = () => ({ salt: crypto.getRandomValues(new Uint8Array(16)), rounds: ROUNDS, tries: 0 })

export const newDeviceKey = () => crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])

// What a PIN opens: the key of the list, and the proof by which the server knows that somebody has the PIN.
export async function openWith(pin, { salt, rounds }) {
  const typed = await crypto.subtle.importKey('raw', bytes(pin), 'PBKDF2', false, ['deriveBits'])
  const slow = await crypto.subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-256', salt, iterations: rounds }, typed, 256)
  const base = await crypto.subtle.importKey('raw', slow, 'HKDF', false, ['deriveKey', 'deriveBits'])
  const part = (info) => ({ name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(0), info: bytes(info) })
  const key = await crypto.subtle.deriveKey(part('names'), base, { name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])
  return { key, proof: hex(await crypto.subtle.deriveBits(part('proof'), base, 256)) }
}

async function encrypt(key, data) {
  const iv = crypto.getRandomValues(new Uint8Array(12))
  return { iv, data: await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, data) }
}

const decrypt = (key, { iv, data }) => crypto.subtle.decrypt({ name: 'AES-GCM', iv }, key, data)

export async function sealNames(names, pinKey, deviceKey) {
  const inner = await encrypt(pinKey, bytes(JSON.stringify(names)))
  return { inner: inner.iv, ...(await encrypt(deviceKey, inner.data)) }
}

async function openNames(sealed, pinKey, deviceKey) {
  const data = await decrypt(deviceKey, sealed)
  return JSON.parse(new TextDecoder().decode(await decrypt(pinKey, { iv: sealed.inner, data })))
}

// A try is counted before it is made, and one is made at a time: pulling the plug or opening tabs gives no more of them.
export const unlock = (pin) => navigator.locks.request(LOCK_NAME, () => tryPin(pin))

async function tryPin(pin) {
  const lock = await store.read('lock')
  if (!lock) throw new WrongPin(0)
  lock.tries += 1
  await store.keep({ lock })
  const { key, proof } = await openWith(pin, lock)
  let names
  try {
    names = await openNames(await store.read('names'), key, await store.read('deviceKey'))
  } catch {
    if (lock.tries >= TRIES) await wipe()
    throw new WrongPin(Math.max(0, TRIES - lock.tries))
  }
  await store.keep({ lock: { ...lock, tries: 0 } })
  return { key, proof, names }
}

export const wipe = () => store.forget('lock', 'names', 'deviceKey')
