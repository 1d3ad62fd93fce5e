// Keeps a page on this device, so that it opens without signal. The server puts `self.KEPT` above this: which page, its
// files, and a version that changes with any of them. Each version has a cache of its own, filled whole or not at all.
// Where it stands in for other pages as well (`standsInFor`, the beginning of their addresses), those come from the server,
// and the kept page is shown only when the server can't be reached.

const PREFIX = `${self.KEPT.name}-`
const CACHE = PREFIX + self.KEPT.version
const PLACES = new Set(self.KEPT.files.map((file) => new URL(file, self.location).pathname))

self.addEventListener('install', (event) => {
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) => cache.addAll(self.KEPT.files.map((file) => new Request(file, { cache: 'reload', credentials: 'omit' }))))
      .then(() => self.skipWaiting()),
  )
})

self.addEventListener('activate', (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name.startsWith(PREFIX) && name !== CACHE).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  )
})

const kept = (request) => caches.open(CACHE).then((cache) => cache.match(request, { ignoreSearch: true, ignoreVary: true }))
const STANDS_IN_FOR = self.KEPT.standsInFor && new URL(self.registration.scope).pathname === self.KEPT.standsInFor

self.addEventListener('fetch', (event) => {
  const { request } = event
  const address = new URL(request.url)
  if (request.method !== 'GET' || address.origin !== self.location.origin) return
  const isKept = PLACES.has(address.pathname)
  if (STANDS_IN_FOR) {
    const isPage = request.mode === 'navigate'
    if (isPage || isKept) event.respondWith(fetch(request).catch(async (fault) => (await kept(isPage ? self.KEPT.files[0] : request)) ?? Promise.reject(fault)))
  } else if (isKept) {
    event.respondWith(kept(request).then((answer) => answer ?? fetch(request)))
  }
})
