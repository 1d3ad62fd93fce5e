// What every page gains when scripts run. Nothing depends on it: each action is also a plain link or form.

import {
  createAll,
  isSupported,
  Button,
  CharacterCount,
  Checkboxes,
  ErrorSummary,
  NotificationBanner,
  PasswordInput,
  Radios,
  SkipLink,
  Tabs,
} from './vendor/govuk-frontend-6.6.0.min.js'

// The GOV.UK template does this with an inline script, which our content security policy rightly refuses. A browser that
// runs modules at all is one the components support; isSupported() looks for the second class.
document.body.classList.add('js-enabled', 'govuk-frontend-supported')
if (isSupported()) {
  createAll(Button, { preventDoubleClick: true })
  for (const part of [CharacterCount, Checkboxes, ErrorSummary, NotificationBanner, PasswordInput, Radios, SkipLink, Tabs]) {
    createAll(part)
  }
}

// A character key moves the focus to whatever names it: data-shortcut="/" on the search box, data-shortcut="n" on the
// note. <body data-shortcuts="off"> turns them off, for people whose speech software types letters.
document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
  if (document.body.dataset.shortcuts === 'off') return
  if (event.target.closest('input, textarea, select, [contenteditable]')) return
  const wanted = [...document.querySelectorAll('[data-shortcut]')].find((element) => element.dataset.shortcut === event.key)
  if (!wanted) return
  event.preventDefault()
  wanted.closest('details')?.setAttribute('open', '')
  wanted.focus()
})

// Ctrl and Enter together send a form that is filled in while talking, from any box of it. (Enter alone would send it from a
// box of one line, half-way through.)
document.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return
  const form = event.target.closest('form[data-send-with-ctrl-enter]')
  if (!form) return
  event.preventDefault()
  form.requestSubmit()
})

// Choices that act at once (a filter, a sort order) may send their form themselves; the button stays for everyone else.
document.addEventListener('change', (event) => {
  if (event.target.matches('[data-send-on-change]')) event.target.form?.requestSubmit()
})

// Leaving a half-written note: the browser asks first. Sending that form is not leaving; sending another beside it is.
const unsaved = new Set()
document.addEventListener('input', (event) => {
  const form = event.target.closest('form[data-ask-before-leaving]')
  if (form) unsaved.add(form)
})
document.addEventListener('submit', (event) => {
  unsaved.delete(event.target)
})
window.addEventListener('beforeunload', (event) => {
  if (unsaved.size) event.preventDefault()
})

for (const button of document.querySelectorAll('[data-print]')) {
  button.hidden = false
  button.addEventListener('click', () => window.print())
}

// "Today" beside the three boxes of a date: one tap instead of eight keys, and still an answer that a person gave.
for (const button of document.querySelectorAll('[data-fills]')) {
  button.hidden = false
  button.addEventListener('click', () => {
    const [year, month, day] = button.dataset.day.split('-').map(Number)
    for (const [part, value] of Object.entries({ year, month, day })) {
      const box = document.getElementById(`${button.dataset.fills}-${part}`)
      box.value = value
      box.dispatchEvent(new Event('input', { bubbles: true }))
    }
  })
}

// A session ends after half an hour without use. Two minutes before, the page says so and offers to go on; afterwards it
// says that what was typed is still there.
const ending = document.querySelector('[data-session-ends-after]')
if (ending) {
  const lasts = Number(ending.dataset.sessionEndsAfter) * 1000
  const warning = Number(ending.dataset.warnBefore) * 1000
  let timers = []
  const show = (when) => {
    ending.hidden = when === null
    for (const part of ending.querySelectorAll('[data-when]')) part.hidden = part.dataset.when !== when
  }
  const begin = () => {
    timers.forEach(clearTimeout)
    timers = [setTimeout(() => show('soon'), lasts - warning), setTimeout(() => show('over'), lasts)]
    show(null)
  }
  ending.querySelector('[data-still-here]').addEventListener('click', async (event) => {
    const answer = await fetch(event.target.dataset.stillHere, { redirect: 'manual' }).catch(() => null)
    if (answer?.status === 204) begin()
    else show('over')
  })
  document.addEventListener('htmx:afterRequest', begin)
  document.addEventListener('htmx:after:request', begin)
  begin()
}

// A page of the public form is kept while somebody is still at it: a phone that runs out, or a tab that is closed, loses
// nothing. Without scripts, Continue keeps it.
const typing = document.querySelector('form[data-keeps-typed]')
if (typing) {
  let timer = null
  const keep = () => {
    clearTimeout(timer)
    if (timer === null) return
    timer = null
    const address = typing.dataset.keepsTyped + window.location.search
    fetch(address, { method: 'POST', body: new URLSearchParams(new FormData(typing)), keepalive: true })
      .then((answer) => {
        typing.querySelector('[data-kept-words]').hidden = answer.status !== 204
      })
      .catch(() => {})
  }
  typing.addEventListener('input', () => {
    clearTimeout(timer)
    timer = setTimeout(keep, 1200)
  })
  typing.addEventListener('submit', () => {
    clearTimeout(timer)
    timer = null
  })
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'hidden') keep()
  })
}

// The little sum that a form is asked for when a great many came from its connection (crm/web/robots.py). It is done
// while the answers are looked over; a button pressed sooner waits for it.
const sum = document.querySelector('input[data-puzzle]')
if (sum && window.crypto?.subtle) {
  const { puzzle, bits } = sum.dataset
  const solve = async () => {
    for (let n = 0; ; n += 1) {
      const tried = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(`${puzzle}:${n}`))
      if (new DataView(tried).getUint32(0) >>> (32 - bits) === 0) return n
    }
  }
  const solved = solve().then((n) => {
    sum.value = n
  })
  sum.form.addEventListener('submit', (event) => {
    if (sum.value) return
    event.preventDefault()
    const button = event.submitter
    solved.then(() => {
      button?.removeAttribute('disabled')
      sum.form.submit()
    })
  })
}
