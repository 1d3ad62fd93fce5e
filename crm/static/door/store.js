// What the door keeps on this device, in IndexedDB. `about` holds what it works with; `queue` the sealed entries that
// the server has not acknowledged yet, by their number. Nothing in either can be read back by this page but the list of
// names, and that only with the PIN.

const NAME = 'doorstep-door'

let opened

function open() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1)
    request.onupgradeneeded = () => {
      request.result.createObjectStore('about')
      request.result.createObjectStore('queue', { keyPath: 'n' })
    }
    request.onsuccess = () => {
      // Removing everything from another tab must not wait for this one.
      request.result.onversionchange = () => request.result.close()
      resolve(request.result)
    }
    request.onerror = () => reject(request.error)
    request.onblocked = () => reject(new Error('blocked'))
  })
  return opened
}

const answer = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })

// Runs `work` in one transaction, and is done when that is on the disk: only then may anybody be told "saved".
async function write(work) {
  const database = await open()
  const transaction = database.transaction(['about', 'queue'], 'readwrite', { durability: 'strict' })
  const committed = new Promise((resolve, reject) => {
    transaction.oncomplete = resolve
    transaction.onabort = () => reject(transaction.error ?? new Error('aborted'))
  })
  work(transaction.objectStore('about'), transaction.objectStore('queue'))
  await committed
}

async function store(name) {
  return (await open()).transaction(name).objectStore(name)
}

export const read = async (name) => answer((await store('about')).get(name))

export const keep = (values) =>
  write((about) => {
    for (const [name, value] of Object.entries(values)) about.put(value, name)
  })

export const forget = (...names) => write((about) => names.forEach((name) => about.delete(name)))

// The next number of this device. It is used up even if nothing comes of it: a gap harms nobody, a repeat would.
export async function nextNumber() {
  let number
  await write((about) => {
    const request = about.get('counter')
    request.onsuccess = () => {
      number = (request.result ?? 0) + 1
      about.put(number, 'counter')
    }
  })
  return number
}

// An entry, and what changes with it, both or neither.
export const keepEntry = (entry, values = {}) =>
  write((about, queue) => {
    queue.add(entry)
    for (const [name, value] of Object.entries(values)) about.put(value, name)
  })

export const oldest = async (count) => answer((await store('queue')).getAll(null, count))

export const waiting = async () => answer((await store('queue')).count())

// Let go of what the server says it has.
export const letGo = (entries, ids) => {
  const known = new Set(ids)
  return write((_about, queue) => {
    for (const entry of entries) if (known.has(entry.id)) queue.delete(entry.n)
  })
}

export async function removeAll() {
  if (opened) (await opened).close()
  opened = undefined
  await answer(indexedDB.deleteDatabase(NAME))
}
