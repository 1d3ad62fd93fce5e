// The page that opens without signal: which visit, in and out, and the report. It knows when visits are, and nothing else.

import { canSeal, keep } from './entries.js'
import { takePhotos } from './photos.js'
import { keepWhileTyped } from './report.js'
import * as sending from './sending.js'
import * as store from './store.js'

const $ = (selector) => document.querySelector(selector)
const show = (id, shown = true) => ($(`#${id}`).hidden = !shown)
const inLondon = (at, format) => new Date(at).toLocaleString('en-GB', { timeZone: 'Europe/London', ...format })
const clock = (at) => inLondon(at, { hour: 'numeric', minute: '2-digit', hour12: true }).replace(/\s/g, '').replace(':00', '')
const when = (about) => `${inLondon(about.starts, { weekday: 'long', day: 'numeric', month: 'long' })}, ${clock(about.starts)} to ${clock(about.ends)}`
const SAID = {
  in: 'Checked in',
  longer: 'More time asked for',
  out: 'Checked out',
  help: 'Help asked for. Without signal nobody hears it yet: ring 999',
  missed: 'Kept that the visit did not happen',
}
// Where this page stands in for one of a visit, it is about that visit.
const meant = Number(/^\/visits\/(\d+)(\/|$)/.exec(location.pathname)?.[1])

let last

function draw() {
  const { waiting, reached } = sending.state
  const bar = $('[data-kept]')
  bar.hidden = waiting === 0 && last === undefined
  bar.classList.toggle('ph-bar--ok', waiting === 0)
  $('[data-kept-words]').textContent = waiting
    ? `Kept on this phone${last ? `, ${clock(last)}` : ''}: ${waiting} not yet sent. ${reached ? 'Sending.' : 'No signal. It sends by itself later.'}`
    : 'All of it is sent.'
  show('there-is-signal', waiting === 0 && last !== undefined && reached)
}

async function wasKept(at) {
  last = at
  await sending.count()
  sending.send()
}

function open(about) {
  show('s-choose', false)
  show('s-visit')
  $('#title').textContent = 'Your visit'
  $('#subtitle').textContent = when(about)
  offerWayIn(about)
  for (const button of document.querySelectorAll('[data-act]')) {
    button.addEventListener('click', async () => {
      button.disabled = true
      const said = saidBy(button)
      const words = $('#said')
      try {
        const at = await keep(said, about)
        await offerWayIn(about)
        words.textContent = `${SAID[said.do]}, ${clock(at)}.`
        await wasKept(at)
      } catch {
        words.textContent = 'This phone could not keep that. Write it on paper, and ring.'
      }
      words.hidden = false
      words.focus()
      button.disabled = false
    })
  }
  for (const part of document.querySelectorAll('[data-part]')) {
    keepWhileTyped(part, { part: Number(part.dataset.part), about, done: wasKept })
  }
  takePhotos(about, wasKept)
}

// Who has checked in on this phone has no use for that button; it comes back for who was wrong to check out.
const offerWayIn = async ({ visit }) => show('way-in', (await store.went(visit)) !== 'in')

function saidBy({ dataset, value }) {
  if (dataset.act === 'longer') return { do: 'longer', minutes: Number(value) }
  if (dataset.act === 'missed') return { do: 'missed', what: value, note: $('#missed-note').value.trim() }
  return { do: dataset.act }
}

function choose(visits) {
  show('s-choose')
  $('#choices').replaceChildren(
    ...visits.map((about) => {
      const row = document.createElement('li')
      const button = Object.assign(document.createElement('button'), { type: 'button', className: 'govuk-button govuk-button--secondary do-wide', textContent: when(about) })
      button.addEventListener('click', () => open(about))
      row.append(button)
      return row
    }),
  )
}

sending.news.addEventListener('change', draw)
const visits = canSeal() ? await store.visits() : []
const here = visits.find((about) => about.visit === meant) ?? (visits.length === 1 ? visits[0] : undefined)
if (meant) for (const link of document.querySelectorAll('[data-back]')) link.href = location.href
if (visits.length === 0) show('s-none')
else if (here) open(here)
else choose(visits)
await sending.begin()
