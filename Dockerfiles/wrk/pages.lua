-- Fetches pages in turn and looks at every response: the status must be 200 and the body the right one, byte by byte.
--
--   wrk -t1 -c10 -d1s -s pages.lua http://127.0.0.1:80 -- PAUSE PATH SHA256 [PATH SHA256]...
--
-- PAUSE is how long a visitor thinks before each request, in milliseconds; 0 asks for as much as the server can give.
-- SHA256 is what `sha256sum` says of the page's body; `any` takes the first body that is not empty and expects it from then on.
-- The path `none` is left out. wrk's own report is followed by these lines:
--
--   page N: COUNT right
--   wrong responses: COUNT
--   every page fetched: yes
--
-- wrk's transfer rate proves nothing: a server that sends its headers and never a body has a fine one, with 0 requests done.

local bit = require("bit")
local band, bnot, bxor, ror, rshift, tobit, tohex = bit.band, bit.bnot, bit.bxor, bit.ror, bit.rshift, bit.tobit, bit.tohex

-- The first 32 bits of the fractional parts of the `power`th roots of the first primes, from which SHA-256 has its constants
-- (FIPS 180-4, sections 4.2.2 and 5.3.3). A double's 52 bits hold them: no root here has more than 5 bits before the point.
local function fractions_of_roots(count, power)
  local found, candidate = {}, 2
  while #found < count do
    local is_prime = true
    for divisor = 2, math.floor(math.sqrt(candidate)) do
      if candidate % divisor == 0 then is_prime = false break end
    end
    if is_prime then
      local root = candidate ^ (1 / power)
      found[#found + 1] = tobit(math.floor((root % 1) * 2 ^ 32))
    end
    candidate = candidate + 1
  end
  return found
end

local round_constants = fractions_of_roots(64, 3)
local initial_state = fractions_of_roots(8, 2)

local function big_endian(number)
  return string.char(band(rshift(number, 24), 255), band(rshift(number, 16), 255), band(rshift(number, 8), 255), band(number, 255))
end

local function sha256(message)
  local bits = #message * 8
  message = message .. "\128" .. string.rep("\0", (55 - #message) % 64)
    .. big_endian(tobit(math.floor(bits / 2 ^ 32))) .. big_endian(tobit(bits % 2 ^ 32))
  local h = { unpack(initial_state) }
  local w = {}
  for start = 1, #message, 64 do
    for i = 0, 15 do
      local b1, b2, b3, b4 = message:byte(start + 4 * i, start + 4 * i + 3)
      w[i] = tobit(((b1 * 256 + b2) * 256 + b3) * 256 + b4)
    end
    for i = 16, 63 do
      local x, y = w[i - 15], w[i - 2]
      local s0 = bxor(ror(x, 7), ror(x, 18), rshift(x, 3))
      local s1 = bxor(ror(y, 17), ror(y, 19), rshift(y, 10))
      w[i] = tobit(w[i - 16] + s0 + w[i - 7] + s1)
    end
    local a, b, c, d, e, f, g, hh = unpack(h)
    for i = 0, 63 do
      local s1 = bxor(ror(e, 6), ror(e, 11), ror(e, 25))
      local t1 = hh + s1 + bxor(band(e, f), band(bnot(e), g)) + round_constants[i + 1] + w[i]
      local s0 = bxor(ror(a, 2), ror(a, 13), ror(a, 22))
      local t2 = s0 + bxor(band(a, b), band(a, c), band(b, c))
      hh, g, f, e, d, c, b, a = g, f, e, tobit(d + t1), c, b, a, tobit(t1 + t2)
    end
    for i, value in ipairs({ a, b, c, d, e, f, g, hh }) do h[i] = tobit(h[i] + value) end
  end
  local text = ""
  for _, word in ipairs(h) do text = text .. tohex(word) end
  return text
end

local pages = {}       -- in the order of the command line: path, digest, request
local page_of_body = {} -- bodies known to be right -> index of their page; equal strings are one object in Lua, so this is cheap
local next_page = 0
local pause = 0

-- Read by `done` from the thread that counted.
right = {}
wrong = 0
first_wrong = ""

function init(arguments)
  assert(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "SHA-256 is broken here")
  pause = assert(tonumber(arguments[1]), "PAUSE is not a number of milliseconds")
  for i = 2, #arguments, 2 do
    local path, digest = arguments[i], arguments[i + 1] or "any"
    if path ~= "none" then
      pages[#pages + 1] = { path = path, digest = digest, request = wrk.format("GET", path) }
      right[#pages] = 0
    end
  end
  assert(#pages > 0, "no page to fetch: usage is `-- PAUSE PATH SHA256 [PATH SHA256]...`")
end

function delay()
  return pause
end

function request()
  next_page = next_page % #pages + 1
  return pages[next_page].request
end

local function page_with_new_body(body)
  -- One wrong body is enough to fail: no need to spend time on the digests of thousands.
  if wrong > 10 then return nil end
  local digest = sha256(body)
  for index, page in ipairs(pages) do
    if page.digest == digest then return index end
  end
  for index, page in ipairs(pages) do
    if page.digest == "any" and #body > 0 then
      page.digest = digest
      return index
    end
  end
  return nil
end

function response(status, _, body)
  local index = page_of_body[body]
  if status == 200 and not index then
    index = page_with_new_body(body)
    if index then page_of_body[body] = index end
  end
  if status == 200 and index then
    right[index] = right[index] + 1
  else
    wrong = wrong + 1
    if wrong == 1 then first_wrong = string.format("status %d, %d bytes, sha256 %s", status, #body, sha256(body)) end
  end
end

local threads = {}

function setup(thread)
  threads[#threads + 1] = thread
end

-- Runs in a Lua state of its own, where `init` was never called: everything is asked of the threads.
function done()
  local total, total_wrong, example = {}, 0, ""
  for _, thread in ipairs(threads) do
    for index, count in pairs(thread:get("right")) do total[index] = (total[index] or 0) + count end
    total_wrong = total_wrong + thread:get("wrong")
    if example == "" then example = thread:get("first_wrong") end
  end
  local every = "yes"
  for index, count in ipairs(total) do
    print(string.format("page %d: %d right", index, count))
    if count == 0 then every = "no" end
  end
  if total_wrong > 0 then print("first wrong response: " .. example) end
  print("wrong responses: " .. total_wrong)
  print("every page fetched: " .. every)
end
