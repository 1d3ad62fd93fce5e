// What the door keeps on this device. Nothing of it can be read back by this page but the list of names, and that only
// with the PIN.

import { storeNamed } from '../kept/store.js'

export const { read, keep, forget, nextNumber, keepEntry, oldest, waiting, letGo, removeAll } = storeNamed('doorstep-door')
