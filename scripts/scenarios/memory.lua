-- SPDX-License-Identifier: MIT
--
-- memory.lua - memory pressure: 1 GiB in 20 blocks of the engine's heap, every byte written with a
-- pattern, and under it 100 transforms of 1000 points. Each transform is checked by its inverse and
-- by one bin summed from the definition; afterwards every byte of the blocks is compared.

local stats = require "cns.stats"
local fft = require "scenarios.fft"
local pressure = require "scenarios.pressure"

local points = 1000

local function signal(seed)
    local random = stats.random(seed)
    local re, im = {}, {}
    for i = 1, points do re[i], im[i] = random() - 0.5, random() - 0.5 end
    return re, im
end

-- One bin by the definition, so that a transform that does nothing cannot pass.
local function bin(re, im, k)
    local sum_re, sum_im = 0.0, 0.0
    for i = 0, points - 1 do
        local angle = -2 * math.pi * (i * k % points) / points
        local c, s = math.cos(angle), math.sin(angle)
        sum_re = sum_re + re[i + 1] * c - im[i + 1] * s
        sum_im = sum_im + re[i + 1] * s + im[i + 1] * c
    end
    return sum_re, sum_im
end

local function verify(ctx, i, answer)
    local re, im = signal(ctx.seed + i)
    local back_re, back_im = fft.transform(ctx.inverse, answer.re, answer.im)
    local worst = 0.0
    for p = 1, points do
        local off = math.abs(back_re[p] - re[p]) + math.abs(back_im[p] - im[p])
        if off > worst or off ~= off then worst = off end
    end
    if worst >= 1e-12 or worst ~= worst then
        return false, ("the inverse is %g away from the signal"):format(worst)
    end
    local k = i % points
    local bin_re, bin_im = bin(re, im, k)
    local off = math.max(math.abs(bin_re - answer.re[k + 1]), math.abs(bin_im - answer.im[k + 1]))
    return off < 1e-10, ("bin %d is %g away from its definition"):format(k, off)
end

-- Every byte, and the heap's own account.
local function check_blocks(ctx, checks)
    local heap, blocks = ctx.held.heap, ctx.held.blocks
    checks:check("every block still holds its pattern", ctx.held:compare())
    local live = heap:stats()
    checks:check("the heap accounts for every block", live.live_count == #blocks
        and live.live_bytes >= ctx.held.total, ("%d blocks, %d bytes live"):format(live.live_count,
        live.live_bytes))
    for _, block in ipairs(blocks) do block:free() end
    checks:equal("blocks left after freeing", heap:stats().live_count, 0)
    heap:check()
end

---@param scale number
return function(scale)
    local total = math.floor(2 ^ 30 * math.min(scale, 1))
    local blocks = 20
    return {
        name = "memory pressure",
        description = ("%.0f MiB in %d blocks, every byte written and compared; under it, "
            .. "transforms of %d points, each checked by its inverse."):format(
            total / 2 ^ 20, blocks, points),
        operations = math.max(1, math.ceil(100 * scale)), warmup = 2, verify = verify,
        setup = function(ctx)
            ctx.forward, ctx.inverse = fft.plan(points), fft.plan(points, true)
            ctx.held = pressure.hold(total, blocks, ctx.seed, "memory pressure")
        end,
        work = function(ctx, i)
            local re, im = signal(ctx.seed + i)
            re, im = fft.transform(ctx.forward, re, im)
            return {re = re, im = im}
        end,
        after = check_blocks,
        teardown = function(ctx)
            if ctx.held then ctx.held:close() end
        end,
        -- What was asked for must be resident, at any scale.
        thresholds = {"success = 100%", scale >= 1 and "rss > 1 GiB"
            or ("rss > %d B"):format(total)},
    }
end
