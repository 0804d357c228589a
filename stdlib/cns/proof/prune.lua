-- SPDX-License-Identifier: MIT
--
-- cns.proof.prune: what follows for bounds from sums and clauses, for the checker of proofs.
--
-- A pruner of a kind is a function of arguments and domains that narrows these, and is false when
-- nothing is left; `prune.denied` has those for constraints that must not hold. Besides what
-- kinds.lua says domains here have at_least(term, v) and at_most(term, v), false: empty.

local kinds = require "cns.proof.kinds"

local prune = {}
local denied = {}

-- sum a[k] x[k] <= c, of coefficients times `sign`
local function at_most(a, sign, c, d)
    local low, high = d.low, d.high
    local slack = c
    for k, t in ipairs(a.x) do
        local f = sign * a.a[k]
        slack = slack - f * (f > 0 and low(t) or high(t))
    end
    if slack < 0 then return false end
    for k, t in ipairs(a.x) do
        local f = sign * a.a[k]
        if f > 0 and f * (high(t) - low(t)) > slack then
            if not d.at_most(t, low(t) + slack // f) then return false end
        elseif f < 0 and -f * (high(t) - low(t)) > slack then
            if not d.at_least(t, high(t) - slack // -f) then return false end
        end
    end
    return true
end

function prune.le(a, d) return at_most(a, 1, a.c, d) end
function denied.le(a, d) return at_most(a, -1, -a.c - 1, d) end

function prune.eq(a, d)
    return at_most(a, 1, a.c, d) and at_most(a, -1, -a.c, d) and kinds.eq(a, d)
end
function denied.ne(a, d) return prune.eq(a, d) end

local function set(d, t, value)
    if value == 1 then return d.at_least(t, 1) end
    return d.at_most(t, 0)
end

function prune.clause(a, d)
    local unit, to, open = nil, nil, 0
    for value, list in pairs {[1] = a.positive, [0] = a.negative} do
        for _, t in ipairs(list) do
            local low, high = d.low(t), d.high(t)
            if low ~= high then
                open, unit, to = open + 1, t, value
            elseif low == value then
                return true
            end
        end
    end
    if open == 1 then return set(d, unit, to) end
    return open > 0
end

function denied.clause(a, d)
    for _, t in ipairs(a.positive) do
        if not set(d, t, 0) then return false end
    end
    for _, t in ipairs(a.negative) do
        if not set(d, t, 1) then return false end
    end
    return true
end

prune["and"] = function(a, d)
    for _, part in ipairs(a.parts) do
        if not prune[part.kind](part.arguments, d) then return false end
    end
    return true
end

denied["and"] = function(a, d)
    local open = nil
    for _, part in ipairs(a.parts) do
        if not kinds[part.kind](part.arguments, d) then return true end
        if not kinds.entailed[part.kind](part.arguments, d) then
            if open then return true end
            open = part
        end
    end
    return open ~= nil and denied[open.kind](open.arguments, d)
end

-- A lex's next place decides once its first one is equal: nothing to narrow but its tails.
function prune.lex(a, d)
    if not kinds.lex(a, d) then return false end
    local k = a.from or 1
    local x, y, next = a.x[k], a.y[k], a.tails and a.tails[k + 1]
    if next and x and y and d.low(x) >= d.high(y) then return set(d, next, 1) end
    return true
end

-- Whether surely, in the domains.
local function surely(c, d, all_fixed)
    local is = kinds.entailed[c.kind]
    if is then return is(c.arguments, d) end
    return all_fixed(c.scope) and kinds[c.kind](c.arguments, d)
end

-- Narrows the domains by constraint `c`; false: it cannot hold. `all_fixed(scope)`.
function prune.revise(c, d, all_fixed)
    local holds = prune[c.kind] or kinds[c.kind]
    if not c.mode then return holds(c.arguments, d) end
    local low, high = d.low(c.condition), d.high(c.condition)
    if c.mode == "negated" then low, high = 1 - high, 1 - low end
    if low == 1 then return holds(c.arguments, d) end
    if high == 0 then
        if c.mode == "if" then return true end
        if surely(c, d, all_fixed) then return false end
        local narrow = denied[c.kind]
        return not narrow or narrow(c.arguments, d)
    end
    local value = nil
    if not kinds[c.kind](c.arguments, d) then
        value = 0
    elseif c.mode ~= "if" and surely(c, d, all_fixed) then
        value = 1
    end
    if not value then return true end
    return set(d, c.condition, c.mode == "negated" and 1 - value or value)
end

return prune
