// A visit on a phone: what is said by a button and what is typed goes out once, now or when there is signal. Without this
// script every button is a form that is sent as it stands.

import { canSeal, keep, makeReady } from './entries.js'
import { takePhotos } from './photos.js'
import { keepWhileTyped } from './report.js'
import * as sending from './sending.js'
import * as store from './store.js'

const page = document.querySelector('[data-visit]')
const words = document.querySelector('[data-kept]')
const visit = Number(page.dataset.visit)
const clock = (at) => new Date(at).toLocaleTimeString('en-GB', { hour: 'numeric', minute: '2-digit', hour12: true, timeZone: 'Europe/London' }).replace(/\s/g, '').replace(':00', '')

let last
let about

async function wasKept(at) {
  last = at
  await sending.count()
  draw()
  sending.send()
}

function draw() {
  const { waiting, reached } = sending.state
  if (!waiting && last === undefined) return
  words.hidden = false
  words.classList.toggle('ph-bar--ok', waiting === 0)
  words.querySelector('[data-kept-words]').textContent = waiting
    ? `Kept on this phone, ${clock(last ?? Date.now())}. ${reached ? 'It is being sent.' : 'No signal here: it sends by itself later.'}`
    : `Saved, ${clock(last)}.`
}

function acts(about) {
  for (const form of document.querySelectorAll('form[data-act]')) {
    let isPlain = false
    form.addEventListener('submit', async (event) => {
      if (isPlain) return
      event.preventDefault()
      const buttons = [...form.querySelectorAll('button')]
      for (const button of buttons) button.disabled = true
      try {
        last = await keep(saidBy(form, event.submitter), about)
      } catch {
        // This phone could not keep it: then it is sent as any form is.
        for (const button of buttons) button.disabled = false
        isPlain = true
        return form.requestSubmit(event.submitter)
      }
      draw()
      await sending.count()
      await sending.send()
      if (sending.state.waiting === 0 && (await isSignedIn())) {
        // What did not fit how the visit stands is shown on the page of the visit.
        return location.assign(sending.state.aside ? `/visits/${visit}` : location.pathname)
      }
      for (const button of buttons) button.disabled = false
      if (sending.state.waiting) document.querySelector(`[data-unsent="${form.dataset.act}"]`)?.removeAttribute('hidden')
    })
  }
}

// Two hours in somebody's kitchen end a session. What was said is with us all the same, so nobody is sent to sign in.
async function isSignedIn() {
  const answer = await fetch(location.pathname, { redirect: 'manual' }).catch(() => null)
  return answer?.status === 200
}

function saidBy(form, button) {
  const what = form.dataset.act
  if (what === 'longer') return { do: what, minutes: Number(button.value) }
  if (what !== 'in') return { do: what }
  const stay = form.querySelector('select')
  return { do: what, minutes: stay.selectedOptions[0].defaultSelected ? null : Number(stay.value) }
}

function report(about) {
  const form = document.querySelector('form[data-part]')
  if (!form) return
  const kept = keepWhileTyped(form, {
    part: Number(form.dataset.part),
    about,
    done: wasKept,
  })
  sending.answers.addEventListener('answer', ({ detail }) => {
    if (detail.visit === visit && detail.report) form.elements.seen.value = detail.report
  })
  let isFlushed = false
  form.addEventListener('submit', async (event) => {
    if (isFlushed || [...form.querySelectorAll('input[type=file]')].some((box) => box.files.length)) return
    event.preventDefault()
    await kept.now()
    await sending.count()
    await sending.send()
    isFlushed = sending.state.reached && navigator.onLine
    if (isFlushed) return form.requestSubmit(event.submitter)
    draw()
    document.querySelector('[data-unsent="part"]')?.removeAttribute('hidden')
  })
}

if (canSeal()) {
  sending.news.addEventListener('change', draw)
  about = await makeReady(visit, Number(page.dataset.user), page.dataset.token).catch(() => undefined)
  if (about) {
    // The page that needs no signal, at its own address and in the place of those that do.
    for (const scope of ['/visit-kit/', '/visits/']) navigator.serviceWorker?.register('/visit-kit/worker.js', { scope }).catch(() => {})
    acts(about)
    report(about)
    sending.answers.addEventListener('answer', ({ detail }) => {
      // What did not fit how the visit stands waits on the page of the visit.
      if (detail.visit === visit && detail.taken.some((one) => one.state === 'aside')) document.querySelector('[data-aside]')?.removeAttribute('hidden')
    })
  }
  if (await store.waiting()) await sending.begin()
  else await sending.count()
  addEventListener('online', sending.send)
}
takePhotos(about, wasKept)
