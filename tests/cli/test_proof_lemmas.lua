-- SPDX-License-Identifier: MIT
--
-- test_proof_lemmas.lua - the checker of proofs accepts no false lemma, and few true ones are too
-- dear to it: its word on each constraint's lemmas against all solutions, which the command lists.
--
--     lua5.4 test_proof_lemmas.lua PATH/TO/cnsengine SOURCE [SEEDS]

local command, source = arg[1], arg[2]
local seeds = tonumber(arg[3] or "2")
local here = arg[0]:match("^(.*)/") or "."
package.path = ("%s/?.lua;%s/stdlib/?.lua;%s"):format(here, source, package.path)

local checks = require "checks"
local models = require "proof_models"
local proof = require "cns.proof"
local scratch = require "scratch"

local check = checks.check

-- ---- models -------------------------------------------------------------------------------------

local function run(options, text)
    local path = scratch.write("model.fzn", text)
    local pipe = io.popen(("timeout 60 '%s' solve %s '%s' 2>&1"):format(command, options, path))
    local out = pipe:read("a")
    return pipe:close() and out
end

-- {text, names, kinds, solutions}: a model with one constraint, and all that it allows. nil: those
-- are too many.
local function model_of(text)
    local m = {text = text, names = {}, is_bool = {}, solutions = {}}
    for type, name in text:gmatch("var ([^:\n]-): ?(%w+)[^;\n]*;") do
        m.names[#m.names + 1] = name
        m.is_bool[name] = type == "bool"
    end
    local all = text:gsub("(var [^:\n]-: ?%w+)[^;\n]*;", "%1:: output_var;")
    local out = run("-a", all)
    local function says(what) return out:find(what, 1, true) ~= nil end
    if not out or not (says "==========" or says "UNSATISFIABLE") then return nil end
    local values = {}
    for line in out:gmatch("[^\n]+") do
        local name, value = line:match("^(%w+) = (%S+);")
        if name then
            values[name] = value == "true" and 1 or value == "false" and 0 or tonumber(value)
        elseif line == "----------" then
            m.solutions[#m.solutions + 1] = values
            values = {}
        end
    end
    return m
end

local function header(m)
    local lines = {}
    for k, name in ipairs(m.names) do lines[k] = ("v %d %s"):format(k - 1, name) end
    lines[#lines + 1] = "cns-proof 1"
    lines[#lines + 1] = ("m %d 1"):format(#m.names)
    for k, name in ipairs(m.names) do
        lines[#lines + 1] = ("%s %d is %d"):format(m.is_bool[name] and "b" or "x", k, k - 1)
    end
    return lines
end

-- "true", "false" (rejected) or "unknown" (trusted): what the checker says of the last line.
local function word_on(text, lines)
    local k = 0
    local verdict = proof.check(text, function()
        k = k + 1
        return lines[k]
    end)
    if not verdict.accepted then return verdict.line == #lines and "false" or "broken", verdict end
    return verdict.counts.trusted > 0 and "unknown" or "true"
end

-- ---- literals -----------------------------------------------------------------------------------

local function random_literal(m)
    local k = math.random(#m.names)
    local name = m.names[k]
    if m.is_bool[name] then
        return {name = name, op = "=", value = math.random(0, 1), number = k}
    end
    local some = m.solutions[math.random(#m.solutions)]
    local value = (some and some[name] or 0) + math.random(-1, 1)
    local ops = {">=", "<=", "=", "!=", ">=", "<="}
    return {name = name, op = ops[math.random(#ops)], value = value, number = k}
end

local function holds(l, values)
    local x = values[l.name]
    if l.op == ">=" then return x >= l.value elseif l.op == "<=" then return x <= l.value end
    return (x == l.value) == (l.op == "=")
end

local function text_of(m, l)
    if m.is_bool[l.name] then return (l.value == 1 and "b" or "~b") .. l.number end
    return ("x%d%s%d"):format(l.number, l.op, l.value)
end

local function is_implied(m, clause)
    for _, values in ipairs(m.solutions) do
        local some = false
        for _, l in ipairs(clause) do some = some or holds(l, values) end
        if not some then return false end
    end
    return true
end

-- A clause that all solutions satisfy, and no part of it: what is left out decides.
local function least_clause(m)
    local clause = {}
    for k = 1, 3 * #m.names do clause[k] = random_literal(m) end
    if not is_implied(m, clause) then return nil end
    for k = #clause, 1, -1 do
        local l = table.remove(clause, k)
        if not is_implied(m, clause) then table.insert(clause, k, l) end
    end
    return clause
end

-- ---- lemmas about the model's variables ---------------------------------------------------------

local counts = {}

local function count(name, what)
    counts[name] = counts[name] or {yes = 0, no = 0, unknown = 0}
    counts[name][what] = counts[name][what] + 1
end

local function try_lemma(name, m, clause, implied)
    local lines, words = header(m), {}
    for k, l in ipairs(clause) do words[k] = text_of(m, l) end
    lines[#lines + 1] = "r 0 " .. table.concat(words, " ")
    local word, verdict = word_on(m.text, lines)
    if word == "unknown" then
        count(name, "unknown")
    else
        count(name, implied and "yes" or "no")
        check(("%s: '%s' is %s"):format(name, lines[#lines], tostring(implied)),
            word == tostring(implied),
            (verdict and verdict.message or "accepted") .. "\n" .. m.text)
    end
end

local function try_model(name, text, rounds)
    local m = model_of(text)
    if not m then
        check(name .. " can be solved", false, text)
        return
    end
    if #m.solutions > 3000 then return end
    for _ = 1, rounds do
        local clause = least_clause(m)
        for left_out = 0, clause and #clause or -1 do
            local l = clause[left_out]
            if l then table.remove(clause, left_out) end
            try_lemma(name, m, clause, l == nil)
            if l then table.insert(clause, left_out, l) end
        end
    end
end

for _, name in ipairs(models.names) do
    for seed = 1, seeds do try_model(name, models.single(name, seed), 3) end
end
for _, name in ipairs(models.large_names) do
    for seed = 1, 2 * seeds do try_model(name, models.large(name, seed), 3) end
end
local yes, no, unknown = 0, 0, 0
for name, c in pairs(counts) do
    yes, no, unknown = yes + c.yes, no + c.no, unknown + c.unknown
    check(name .. ": few lemmas are too dear", c.unknown <= (c.yes + c.no) // 50, c.unknown)
end
check("there were true lemmas and false ones", yes > 500 and no > 500, yes .. ", " .. no)

-- ---- lemmas about new Booleans ------------------------------------------------------------------

-- What the words of a definition make of a solution: `values` by x.. and b.. of the proof.
local meanings = {}

local function literal_holds(word, values)
    if word == "T" or word == "F" then return word == "T" end
    local sign, bool = word:match("^(~?)(b%d+)$")
    if bool then return (values[bool] == 1) ~= (sign == "~") end
    local int, op, value = word:match("^(x%d+)([<>!=]+)(%-?%d+)$")
    return holds({name = int, op = op, value = tonumber(value)}, values)
end

function meanings.any(words, values)
    for k = 5, #words do
        if literal_holds(words[k], values) then return true end
    end
    return false
end

function meanings.all(words, values)
    for k = 5, #words do
        if not literal_holds(words[k], values) then return false end
    end
    return true
end

local function sum_of(words, values)
    local k, sum = 5, 0
    while words[k] ~= ":" do
        if not literal_holds(words[k], values) then return nil end
        k = k + 1
    end
    for j = k + 1, #words - 2, 2 do sum = sum + words[j] * values["x" .. words[j + 1]] end
    return sum
end

function meanings.le(words, values)
    local sum = sum_of(words, values)
    return sum ~= nil and sum <= tonumber(words[#words])
end

function meanings.eq(words, values) return sum_of(words, values) == tonumber(words[#words]) end

-- The arguments of the only constraint: lists of values.
local function arguments_of(m, values)
    local lists = {}
    for list in m.text:match("constraint [^\n]*"):gmatch("%[([^%]]*)%]") do
        local out = {}
        for word in list:gmatch("[^,]+") do out[#out + 1] = tonumber(word) or values[word] end
        lists[#lists + 1] = out
    end
    return lists
end

function meanings.tail(words, _, m, named)
    local x, y = table.unpack(arguments_of(m, named))
    local strict = words[6] == "1"
    if strict ~= (m.text:find("lex_less_", 1, true) ~= nil) then x, y = y, x end
    for k = words[5] + 1, math.max(#x, #y) do
        if not x[k] or not y[k] then break end
        if x[k] ~= y[k] then return x[k] < y[k] end
    end
    if strict then return #x < #y end
    return #x <= #y
end

function meanings.value(words, _, m, named)
    for _, v in ipairs(arguments_of(m, named)[1]) do
        if v == tonumber(words[5]) then return true end
    end
    return false
end

function meanings.row(words, _, m, named)
    return table.concat(words, " ", 5) == table.concat(arguments_of(m, named)[1], " ")
end

-- The path of a solution: the first that is found.
local function path_of(m, named)
    local x = arguments_of(m, named)[1]
    local function go(k, node)
        if k > #x then return node == 1 and {} or nil end
        for e, edge in ipairs(m.layers[k]) do
            if edge[1] == node and edge[2] <= x[k] and x[k] <= edge[3] then
                local rest = go(k + 1, edge[4])
                if rest then
                    rest[k] = {edge = e - 1, node = edge[4]}
                    return rest
                end
            end
        end
        return nil
    end
    return go(1, 0)
end

function meanings.node(words, _, m, named)
    return path_of(m, named)[words[5] + 1].node == tonumber(words[6])
end

function meanings.edge(words, _, m, named)
    return path_of(m, named)[words[5] + 1].edge == tonumber(words[6])
end

local function words_of(line)
    local words = {}
    for word in line:gmatch("%S+") do words[#words + 1] = word end
    return words
end

-- What the proof's integers and Booleans are in each solution; nil: some have no meaning.
local function extend(m, lines)
    local names, extended = {}, {}
    m.layers = {}
    for k, named in ipairs(m.solutions) do extended[k] = {named = named, x0 = 0} end
    for _, line in ipairs(lines) do
        local w = words_of(line)
        if w[1] == "v" then
            names[w[2]] = w[3]
        elseif w[1] == "l" then
            local edges = {}
            for k = 3, #w, 4 do
                edges[#edges + 1] = {tonumber(w[k]), tonumber(w[k + 1]), tonumber(w[k + 2]),
                    tonumber(w[k + 3])}
            end
            m.layers[#m.layers + 1] = edges
        elseif w[1] == "a" or w[1] == "=" or w[3] == "new" or w[3] == "lit" then
            return nil
        elseif w[1] == "x" or w[1] == "b" then
            for _, values in ipairs(extended) do
                local value
                if w[3] == "is" then
                    value = values.named[names[w[4]]]
                else
                    value = meanings[w[3]](w, values, m, values.named) and 1 or 0
                end
                values[w[1] .. w[2]] = value
            end
        end
    end
    return extended
end

local function clause_holds(words, extended, skip)
    for _, values in ipairs(extended) do
        local some = false
        for k = 3, #words do some = some or (k ~= skip and literal_holds(words[k], values)) end
        if not some then return false end
    end
    return true
end

-- The lines up to `count`, the last without its literal `skip`.
local function cut(lines, number, words, skip)
    local out = table.move(lines, 1, number, 1, {})
    local kept = {}
    for k, word in ipairs(words) do
        if k ~= skip then kept[#kept + 1] = word end
    end
    out[number] = table.concat(kept, " ")
    return out
end

local seen, about_new = {}, {yes = 0, no = 0, unknown = 0}

local function try_steps(name, text)
    local m = model_of(text)
    local path = scratch.folder .. "/proof"
    if not m or #m.solutions > 500 then return end
    if not run(("-n 1 --proof '%s'"):format(path), text) then return end
    local lines = {}
    for line in io.lines(path) do
        if line:find("^[scoeu]") and not line:find("^cns") then break end
        lines[#lines + 1] = line
        local word = line:match("^b %d+ (%a+)")
        if word then seen[word] = true end
    end
    local extended = extend(m, lines)
    for number, line in ipairs(extended and lines or {}) do
        local words = words_of(line)
        local step = line:find("^[rt] 0") and math.random(3) == 1
        for skip = 2, step and #words or 0 do -- with all literals first, then without one of them
            local implied = clause_holds(words, extended, skip)
            local damaged = cut(lines, number, words, skip > 2 and skip)
            local word, verdict = word_on(m.text, damaged)
            local what = word == "unknown" and word or implied and "yes" or "no"
            about_new[what] = about_new[what] + 1
            -- What all solutions satisfy may still be refused, for a path that is not the one here.
            check(("%s: '%s' is %s"):format(name, damaged[number], tostring(implied)),
                word == "unknown" or word == tostring(implied)
                or (implied and skip > 2 and word == "false"),
                (verdict and verdict.message or "accepted") .. "\n" .. m.text)
        end
    end
end

for _, name in ipairs(models.names) do
    for seed = 1, seeds do try_steps(name, models.single(name, seed)) end
end
for _, name in ipairs(models.large_names) do
    for seed = 1, 3 * seeds do try_steps(name, models.large(name, seed)) end
end
for word in pairs(meanings) do
    check(("some Booleans are defined by '%s'"):format(word), seen[word])
end
check("there were steps about new Booleans", about_new.yes > 200 and about_new.no > 200,
    about_new.yes .. ", " .. about_new.no)
check("and few too dear", about_new.unknown <= about_new.yes // 50, about_new.unknown)

-- ---- diagrams that lack something --------------------------------------------------------------

-- Each edge is on the path of a solution, since the automaton is deterministic.
local function check_layers(text)
    local path = scratch.folder .. "/proof"
    assert(run(("-n 1 --proof '%s'"):format(path), text))
    local lines, removed = {}, 0
    for line in io.lines(path) do
        lines[#lines + 1] = line
        if line:find("^r ") and line:find("b%d") then break end
    end
    for number, line in ipairs(lines) do
        local words = words_of(line)
        for k = 3, words[1] == "l" and #words or 0, 4 do
            local without = table.move(lines, 1, #lines, 1, {})
            local kept = table.move(words, 1, k - 1, 1, {})
            table.move(words, k + 4, #words, k, kept)
            without[number] = table.concat(kept, " ")
            removed = removed + 1
            local word, verdict = word_on(text, without)
            check("a diagram without an edge is rejected", word == "false"
                and verdict.message:find("lack", 1, true), verdict and verdict.message or word)
        end
    end
    check("there are edges to remove", removed > 5, removed)
end
check_layers(models.large("fzn_regular", 1))

scratch.remove()
print(("lemmas: %d true, %d false, %d too dear; about new Booleans: %d, %d, %d"):format(yes, no,
    unknown, about_new.yes, about_new.no, about_new.unknown))
checks.finish()
