-- SPDX-License-Identifier: MIT
--
-- cns.proof.engine: integer domains, clauses over them, and unit propagation.
--
-- A literal says x >= v, x <= v, x = v or x != v of an integer x, and is a number; what such
-- literals mean together is known from the domains alone. A clause watches two of its literals
-- that are not false. Facts of the root stay; what is assumed is undone.

local engine = {}

local GE <const>, LE <const>, EQ <const>, NE <const> = 1, 2, 3, 4
engine.GE, engine.LE, engine.EQ, engine.NE = GE, LE, EQ, NE
local NEGATION <const> = {[EQ] = NE, [NE] = EQ}
local MAX_GAP <const> = 1 << 20

function engine.new()
    local low, high, holes = {}, {}, {}       -- by variable
    local lit_var, lit_op, lit_value = {}, {}, {} -- by literal
    local ids = {}                            -- [variable * 4 + op][value] = literal
    local lists = {}                          -- [variable * 4 + op]: clauses that watch
    local trail_var, trail_what, trail_old, trail_count = {}, {}, {}, 0
    local queue, queue_mask, queue_count = {}, {}, 0
    local index, temporary = {}, {}           -- clauses by key; those to be dropped
    local e = {low = low, high = high, holes = holes, lit_var = lit_var, lit_op = lit_op,
        lit_value = lit_value, refuted = false, changes = 0, GE = GE, LE = LE, EQ = EQ, NE = NE}
    local at_root = true

    -- ---- variables and literals -----------------------------------------------------------------

    function e.new_var(ranges)
        local v = #low + 1
        low[v], high[v], holes[v] = ranges[1], ranges[#ranges], {}
        queue_mask[v] = 0
        for k = 2, #ranges - 2, 2 do
            if ranges[k + 1] - ranges[k] > MAX_GAP then
                error("a domain with a gap of more than 2^20 values is not supported", 0)
            end
            for value = ranges[k] + 1, ranges[k + 1] - 1 do holes[v][value] = true end
        end
        for op = 1, 4 do
            ids[v * 4 + op], lists[v * 4 + op] = {}, {}
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
        end
        queue_mask[v] = queue_mask[v] | mask
    end

    local function raise(v, c)
        local h = holes[v]
        while h[c] do c = c + 1 end
        push(v, 1, low[v])
        low[v] = c
        enqueue(v, 1)
        return c <= high[v]
    end

    local function lower(v, c)
        local h = holes[v]
        while h[c] do c = c - 1 end
        push(v, 2, high[v])
        high[v] = c
        enqueue(v, 2)
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
        local list = lists[lit_var[l] * 4 + lit_op[l]]
        list[#list + 1] = c
    end

    -- Visits the clauses that watch a literal of this list; false: conflict.
    local function visit(list, which)
        local kept, count, k = 0, #list, 0
        local ok = true
        while k < count do
            k = k + 1
            local c = list[k]
            if not c.dead then
                local keep = true
                local place = nil
                local l = c[2]
                if lit_var[l] * 4 + lit_op[l] == which and value(l) == false then
                    place = 2
                else
                    l = c[1]
                    if lit_var[l] * 4 + lit_op[l] == which and value(l) == false then
                        place = 1
                    end
                end
                if ok and place then
                    local other = c[3 - place]
                    local state = value(other)
                    if state ~= true then
                        local found = nil
                        for i = 3, #c do
                            if value(c[i]) ~= false then
                                found = i
                                break
                            end
                        end
                        if found then
                            c[place], c[found] = c[found], l
                            keep = false
                            watch(c, c[place])
                            if #list > count then count = #list end
                        elseif state == false or not assert_literal(other) then
                            ok = false
                        end
                    end
                end
                if keep then
                    kept = kept + 1
                    list[kept] = c
                end
            end
        end
        for i = #list, kept + 1, -1 do list[i] = nil end
        return ok
    end

    local function propagate()
        local head = 0
        while head < queue_count do
            head = head + 1
            local v = queue[head]
            local mask = queue_mask[v]
            queue_mask[v] = 0
            local ok = (mask & 2 == 0 or visit(lists[v * 4 + GE], v * 4 + GE))
                and (mask & 1 == 0 or visit(lists[v * 4 + LE], v * 4 + LE))
                and visit(lists[v * 4 + EQ], v * 4 + EQ)
                and (low[v] ~= high[v] or visit(lists[v * 4 + NE], v * 4 + NE))
            if not ok then
                for k = head + 1, queue_count do queue_mask[queue[k]] = 0 end
                queue_count = 0
                return false
            end
        end
        queue_count = 0
        return true
    end

    -- ---- clauses --------------------------------------------------------------------------------

    local function key(c)
        local sorted = table.move(c, 1, #c, 1, {})
        table.sort(sorted)
        return table.concat(sorted, " ")
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

    function e.forget()
        for k, c in ipairs(temporary) do
            c.dead = true
            temporary[k] = nil
        end
    end

    -- Whether there was such a clause. One that the root satisfied was not kept.
    function e.delete(lits)
        local name = key(lits)
        local entry = index[name]
        if entry then
            entry[1].dead = true
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
