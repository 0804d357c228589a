-- SPDX-License-Identifier: MIT
--
-- cns.proof.engine: integer domains, clauses over them, and unit propagation.
--
-- A literal says x >= v, x <= v, x = v or x != v of an integer x, and is a number; what such
-- literals mean together is known from the domains alone. A clause watches two of its literals
-- that are not false: those of a changed variable that became false are looked for among the
-- literals that are watched. Facts of the root stay; what is assumed is undone.

local gaps = require "cns.proof.gaps"

local engine = {}

local GE <const>, LE <const>, EQ <const>, NE <const> = 1, 2, 3, 4
engine.GE, engine.LE, engine.EQ, engine.NE = GE, LE, EQ, NE
local NEGATION <const> = {[EQ] = NE, [NE] = EQ}
local DEAD <const> = 0 -- in the first literal's place: the clause was deleted
local MAX_LISTED <const> = 1 << 10 -- values of a gap that are holes one by one

function engine.new()
    local low, high, holes = {}, {}, {}       -- by variable
    local lit_var, lit_op, lit_value = {}, {}, {} -- by literal
    local ids = {}                            -- [variable * 4 + op][value] = literal
    local watched = {}                        -- [variable * 4 + op]: literals that have a list
    local lists = {}                          -- by literal: clauses that watch it
    local trail_var, trail_what, trail_old, trail_count = {}, {}, {}, 0
    local queue, queue_mask, queue_count = {}, {}, 0
    local queue_low, queue_high = {}, {}      -- by variable in the queue: its bounds before
    local index, temporary = {}, {}           -- clauses by key; those to be dropped
    local e = {low = low, high = high, holes = holes, lit_var = lit_var, lit_op = lit_op,
        lit_value = lit_value, refuted = false, changes = 0, GE = GE, LE = LE, EQ = EQ, NE = NE}
    local at_root = true

    -- ---- variables and literals -----------------------------------------------------------------

    function e.new_var(ranges)
        local v = #low + 1
        low[v], high[v], holes[v] = ranges[1], ranges[#ranges], {}
        queue_mask[v] = 0
        local wide = {}
        for k = 2, #ranges - 2, 2 do
            local from, to = ranges[k] + 1, ranges[k + 1] - 1
            if to - from < MAX_LISTED then
                for value = from, to do holes[v][value] = true end
            else
                wide[#wide + 1] = {from, to}
            end
        end
        if #wide > 0 then gaps.add(holes[v], wide) end
        for op = 1, 4 do
            ids[v * 4 + op], watched[v * 4 + op] = {}, {}
        end
        return v
    end

    local function literal(op, v, value)
        local known = ids[v * 4 + op]
        local id = known[value]
        if not id then
            id = #lit_var + 1
            known[value] = id
            lit_var[id], lit_op[id], lit_value[id] = v, op, value
        end
        return id
    end
    e.literal = literal

    local function negation(l)
        local op, v, value = lit_op[l], lit_var[l], lit_value[l]
        if op == GE then return literal(LE, v, value - 1) end
        if op == LE then return literal(GE, v, value + 1) end
        return literal(NEGATION[op], v, value)
    end
    e.negation = negation

    -- true, false, or nil: open
    local function value(l)
        local op, v, c = lit_op[l], lit_var[l], lit_value[l]
        if op == GE then
            if low[v] >= c then return true end
            if high[v] < c then return false end
        elseif op == LE then
            if high[v] <= c then return true end
            if low[v] > c then return false end
        else
            local gone = c < low[v] or c > high[v] or holes[v][c]
            if op == EQ then
                if gone then return false end
                if low[v] == high[v] then return true end
            else
                if gone then return true end
                if low[v] == high[v] then return false end
            end
        end
        return nil
    end
    e.value = value

    -- ---- domains --------------------------------------------------------------------------------

    local function push(v, what, old)
        e.changes = e.changes + 1
        if at_root then return end
        trail_count = trail_count + 1
        trail_var[trail_count], trail_what[trail_count], trail_old[trail_count] = v, what, old
    end

    local function enqueue(v, mask)
        if queue_mask[v] == 0 then
            queue_count = queue_count + 1
            queue[queue_count] = v
            queue_low[v], queue_high[v] = low[v], high[v]
        end
        queue_mask[v] = queue_mask[v] | mask
    end

    local function raise(v, c)
        local h = holes[v]
        local hole = h[c]
        while hole do
            c = hole == true and c + 1 or hole[2] + 1
            hole = h[c]
        end
        push(v, 1, low[v])
        enqueue(v, 1)
        low[v] = c
        return c <= high[v]
    end

    local function lower(v, c)
        local h = holes[v]
        local hole = h[c]
        while hole do
            c = hole == true and c - 1 or hole[1] - 1
            hole = h[c]
        end
        push(v, 2, high[v])
        enqueue(v, 2)
        high[v] = c
        return c >= low[v]
    end

    -- Makes the literal hold; false: the domain is empty then.
    local function assert_literal(l)
        local op, v, c = lit_op[l], lit_var[l], lit_value[l]
        if op == GE then
            return low[v] >= c or raise(v, c)
        elseif op == LE then
            return high[v] <= c or lower(v, c)
        elseif op == EQ then
            if c < low[v] or c > high[v] or holes[v][c] then return false end
            return (low[v] >= c or raise(v, c)) and (high[v] <= c or lower(v, c))
        end
        if c < low[v] or c > high[v] or holes[v][c] then return true end
        if c == low[v] then
            return raise(v, c + 1)
        elseif c == high[v] then
            return lower(v, c - 1)
        end
        push(v, 3, c)
        holes[v][c] = true
        enqueue(v, 4)
        return true
    end
    e.assert_literal = assert_literal

    local function clear_queue()
        for k = 1, queue_count do queue_mask[queue[k]] = 0 end
        queue_count = 0
    end
    e.clear_queue = clear_queue

    -- What follows is undone by undo(mark()).
    function e.mark()
        local was = at_root
        at_root = false
        return {trail_count, was}
    end

    function e.undo(mark)
        for k = trail_count, mark[1] + 1, -1 do
            local v, what = trail_var[k], trail_what[k]
            if what == 1 then
                low[v] = trail_old[k]
            elseif what == 2 then
                high[v] = trail_old[k]
            else
                holes[v][trail_old[k]] = nil
            end
        end
        trail_count = mark[1]
        at_root = mark[2]
        clear_queue()
    end

    -- ---- propagation ----------------------------------------------------------------------------

    local function watch(c, l)
        local list = lists[l]
        if not list then
            list = {}
            lists[l] = list
            local known = watched[lit_var[l] * 4 + lit_op[l]]
            known[#known + 1] = l
        end
        list[#list + 1] = c
    end

    -- Visits the clauses that watch the literal, which became false; false: conflict.
    local function visit(l)
        local list = lists[l]
        local kept, count, ok = 0, #list, true
        for k = 1, count do
            local c = list[k]
            local other = c[1]
            local keep = other ~= DEAD
            if keep and ok then
                if other == l then
                    other = c[2]
                    c[1], c[2] = other, l
                end
                -- What is open or true is told as by `value`, without the call.
                local op, v, x = lit_op[other], lit_var[other], lit_value[other]
                local is_true
                if op == GE then
                    is_true = low[v] >= x
                elseif op == LE then
                    is_true = high[v] <= x
                else
                    is_true = value(other) == true
                end
                if not is_true then
                    -- From where the last search ended: those before are likely false still.
                    local size, start = c.size, c.at
                    local i = start
                    while i <= size do
                        local next = c[i]
                        local open
                        op, v = lit_op[next], lit_var[next]
                        if op == GE then
                            open = high[v] >= lit_value[next]
                        elseif op == LE then
                            open = low[v] <= lit_value[next]
                        else
                            open = value(next) ~= false
                        end
                        if open then
                            c[2], c[i], c.at = next, l, i
                            watch(c, next)
                            keep = false
                            break
                        end
                        i = i + 1
                        if i > size and start > 3 then
                            i, size, start = 3, start - 1, 3
                        end
                    end
                    if keep then ok = value(other) == nil and assert_literal(other) end
                end
            end
            if keep then
                kept = kept + 1
                list[kept] = c
            end
        end
        for i = count, kept + 1, -1 do list[i] = nil end
        return ok
    end

    -- Visits what became false when the bounds of v changed from `old_low` and `old_high`, or a
    -- value between them was removed. Literals that were false before were visited then.
    local function visit_all(v, mask, old_low, old_high)
        if mask & 2 ~= 0 then
            for _, l in ipairs(watched[v * 4 + GE]) do
                local c = lit_value[l]
                if c <= old_high and c > high[v] and not visit(l) then return false end
            end
        end
        if mask & 1 ~= 0 then
            for _, l in ipairs(watched[v * 4 + LE]) do
                local c = lit_value[l]
                if c >= old_low and c < low[v] and not visit(l) then return false end
            end
        end
        local h = holes[v]
        for _, l in ipairs(watched[v * 4 + EQ]) do
            local c = lit_value[l]
            if c >= old_low and c <= old_high and (c < low[v] or c > high[v] or h[c])
                and not visit(l) then
                return false
            end
        end
        local list = low[v] == high[v] and lists[literal(NE, v, low[v])]
        return not list or visit(literal(NE, v, low[v]))
    end

    local function propagate()
        local head = 0
        while head < queue_count do
            head = head + 1
            local v = queue[head]
            local mask = queue_mask[v]
            queue_mask[v] = 0
            if not visit_all(v, mask, queue_low[v], queue_high[v]) then
                for k = head + 1, queue_count do queue_mask[queue[k]] = 0 end
                queue_count = 0
                return false
            end
        end
        queue_count = 0
        return true
    end

    -- ---- clauses --------------------------------------------------------------------------------

    -- The same for the same literals in whatever order. Should two clauses have one key, the wrong
    -- one may be deleted: no harm but that a later step may not follow any more.
    local function key(c)
        local sum = 0
        for _, l in ipairs(c) do
            local x = l * 0x9E3779B97F4A7C15
            x = (x ~ x >> 29) * 0xBF58476D1CE4E5B9
            sum = sum + (x ~ x >> 32)
        end
        return sum
    end

    local function refute()
        e.refuted = true
        clear_queue()
    end

    -- Adds a clause at the root. `passing`: it lasts until forget().
    function e.add(lits, passing)
        if e.refuted then return end
        local c, seen = {}, {}
        for _, l in ipairs(lits) do
            local state = value(l)
            if state == true then return end
            if state == nil and not seen[l] then
                seen[l] = true
                c[#c + 1] = l
            end
        end
        if #c == 0 or (#c == 1 and not (assert_literal(c[1]) and propagate())) then
            refute()
        elseif #c > 1 then
            c.size, c.at = #c, 3
            watch(c, c[1])
            watch(c, c[2])
            if passing then
                temporary[#temporary + 1] = c
            else
                local name = key(lits)
                local same = index[name]
                index[name] = same and {c, same} or {c}
            end
        end
    end

    -- Takes the values from..to out of a domain, at the root.
    function e.exclude(v, from, to)
        if e.refuted then return end
        gaps.add(holes[v], {{from, to}})
        e.changes = e.changes + 1
        enqueue(v, 4)
        local h = holes[v]
        if not ((not h[low[v]] or raise(v, low[v])) and (not h[high[v]] or lower(v, high[v]))
            and propagate()) then
            refute()
        end
    end

    function e.forget()
        for k, c in ipairs(temporary) do
            c[1] = DEAD
            temporary[k] = nil
        end
    end

    -- Whether there was such a clause. One that the root satisfied was not kept.
    function e.delete(lits)
        local name = key(lits)
        local entry = index[name]
        if entry then
            entry[1][1] = DEAD
            index[name] = entry[2]
        end
        return entry ~= nil
    end

    -- Whether propagation alone refutes that all literals are false.
    function e.implied(lits)
        if e.refuted then return true end
        local mark = e.mark()
        local ok = true
        for _, l in ipairs(lits) do
            ok = ok and assert_literal(negation(l))
        end
        ok = ok and propagate()
        e.undo(mark)
        return not ok
    end

    -- The same, and then `test` under what was propagated. nil: it is implied.
    function e.under(lits, test)
        local mark = e.mark()
        local ok = true
        for _, l in ipairs(lits) do
            ok = ok and assert_literal(negation(l))
        end
        local result = nil
        if ok and propagate() then result = test() end
        e.undo(mark)
        return result
    end

    return e
end

return engine
