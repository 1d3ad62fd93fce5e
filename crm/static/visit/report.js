// A part of the report, kept while it is typed: on the phone at once, at the server as soon as there is signal. Only boxes
// that were touched are sent, each with what was known to stand there, so that nobody's words are written over unseen.

import { digest, keep } from './entries.js'

const PAUSE = 1_500

export function keepWhileTyped(form, { part, about, done }) {
  const stood = new Map()
  const touched = new Set()
  let timer
  let working = Promise.resolve()

  for (const box of form.querySelectorAll('textarea[data-answer]')) stood.set(box.dataset.answer, box.defaultValue.trim())

  async function keepTouched() {
    const answers = {}
    const items = {}
    for (const key of touched) {
      const box = form.querySelector(`textarea[data-answer="${key}"]`)
      if (box) {
        const text = box.value.trim()
        if (text === stood.get(key)) continue
        answers[key] = { text, was: await digest(stood.get(key)) }
        stood.set(key, text)
      } else {
        const chosen = form.querySelector(`[data-item="${key}"] [data-state]:checked`)
        if (chosen) items[key] = { state: chosen.value, todo: form.querySelector(`[data-item="${key}"] textarea`)?.value ?? '', by: day(form, key) }
      }
    }
    touched.clear()
    if (Object.keys(answers).length + Object.keys(items).length) done(await keep({ do: 'part', part, answers, items }, about))
  }

  const now = () => {
    clearTimeout(timer)
    working = working.then(keepTouched)
    return working
  }

  form.addEventListener('input', (event) => {
    const key = event.target.dataset.answer ?? event.target.closest('[data-item]')?.dataset.item
    if (!key) return
    touched.add(key)
    clearTimeout(timer)
    timer = setTimeout(now, PAUSE)
  })
  addEventListener('pagehide', now)
  document.addEventListener('visibilitychange', () => document.visibilityState === 'hidden' && now())
  return { now }
}

// The day as it is sent, or nothing while it is half typed.
function day(form, key) {
  const parts = [...form.querySelectorAll(`[data-item="${key}"] input[inputmode="numeric"]`)].map((box) => box.value.trim())
  const [d, m, y] = parts.map(Number)
  return y > 2000 && m && d ? `${y}-${String(m).padStart(2, '0')}-${String(d).padStart(2, '0')}` : ''
}
