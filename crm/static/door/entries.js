// Writing something down at the door: numbered, sealed, signed, and kept, before anybody is told that it is.

import { DOOR, seal } from '../kept/sealing.js'
import * as store from './store.js'

// `changes` is kept with it, both or neither. A full disk or a cleared store makes this fail: then nothing was saved.
export async function keep(said, changes = {}) {
  const at = Date.now()
  const [about, signing, number] = [await store.read('about'), await store.read('signing'), await store.nextNumber()]
  const entry = await seal(said, DOOR, { ...about, about: about.event, signing, number, at })
  await store.keepEntry(entry, changes)
  return at
}
