// What a page that works without signal keeps on this device, in IndexedDB. `about` holds what it works with; `queue` the
// sealed entries that the server has not acknowledged yet, by their number. Each kind of page has a store of its own.

const answer = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })

export function storeNamed(name) {
  let opened

  function open() {
    opened ??= new Promise((resolve, reject) => {
      const request = indexedDB.open(name, 1)
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

  async function store(part) {
    return (await open()).transaction(part).objectStore(part)
  }

  const read = async (key) => answer((await store('about')).get(key))

  const keep = (values) =>
    write((about) => {
      for (const [key, value] of Object.entries(values)) about.put(value, key)
    })

  const forget = (...keys) => write((about) => keys.forEach((key) => about.delete(key)))

  // The next number of this device. It is used up even if nothing comes of it: a gap harms nobody, a repeat would.
  async function nextNumber() {
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
  const keepEntry = (entry, values = {}) =>
    write((about, queue) => {
      queue.add(entry)
      for (const [key, value] of Object.entries(values)) about.put(value, key)
    })

  const oldest = async (count) => answer((await store('queue')).getAll(null, count))

  const waiting = async () => answer((await store('queue')).count())

  // Let go of what the server says it has.
  const letGo = (entries, ids) => {
    const known = new Set(ids)
    return write((_about, queue) => {
      for (const entry of entries) if (known.has(entry.id)) queue.delete(entry.n)
    })
  }

  async function removeAll() {
    if (opened) (await opened).close()
    opened = undefined
    await answer(indexedDB.deleteDatabase(name))
  }

  const keys = async () => answer((await store('about')).getAllKeys())

  return { read, keep, forget, keys, nextNumber, keepEntry, oldest, waiting, letGo, removeAll }
}
