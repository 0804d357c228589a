-- SPDX-License-Identifier: MIT
--
-- fft.lua - the discrete Fourier transform of any length, by its prime factors (Cooley and Tukey
-- 1965): a transform of n = p * m points is p transforms of m points and one pass that joins them.

local fft = {}

local function factors_of(n)
    local list, p = {}, 2
    while n > 1 do
        if n % p == 0 then
            list[#list + 1] = p
            n = n // p
        else
            p = p + 1
        end
    end
    return list
end

---The plan for one length and direction: factors and roots of unity.
---@param n integer
---@param inverse boolean? divides by n too
function fft.plan(n, inverse)
    local sign = inverse and 1 or -1
    local cosine, sine = {}, {}
    for k = 0, n - 1 do
        cosine[k] = math.cos(2 * math.pi * k / n)
        sine[k] = sign * math.sin(2 * math.pi * k / n)
    end
    return {n = n, factors = factors_of(n), cosine = cosine, sine = sine, inverse = inverse}
end

-- out[at + k + r m] = sum over q of w_n^(q k) w_p^(q r) part_q[k], the parts lying one by one in
-- out already.
local function join(plan, out_re, out_im, at, m, p)
    local cosine, sine, n = plan.cosine, plan.sine, plan.n
    local step, turn = n // (m * p), n // p
    local part_re, part_im = {}, {}
    for k = 0, m - 1 do
        for q = 0, p - 1 do
            local re, im = out_re[at + q * m + k], out_im[at + q * m + k]
            local root = q * k * step % n
            local c, s = cosine[root], sine[root]
            part_re[q], part_im[q] = re * c - im * s, re * s + im * c
        end
        for r = 0, p - 1 do
            local re, im = part_re[0], part_im[0]
            for q = 1, p - 1 do
                local root = q * r * turn % n
                local c, s = cosine[root], sine[root]
                re = re + part_re[q] * c - part_im[q] * s
                im = im + part_re[q] * s + part_im[q] * c
            end
            out_re[at + r * m + k], out_im[at + r * m + k] = re, im
        end
    end
end

local function descend(plan, depth, re, im, from, stride, out_re, out_im, at, n)
    if n == 1 then
        out_re[at], out_im[at] = re[from], im[from]
        return
    end
    local p = plan.factors[depth]
    local m = n // p
    for q = 0, p - 1 do
        descend(plan, depth + 1, re, im, from + q * stride, stride * p, out_re, out_im, at + q * m,
            m)
    end
    join(plan, out_re, out_im, at, m, p)
end

---@param plan table
---@param re number[] 1..n
---@param im number[]
---@return number[] re, number[] im
function fft.transform(plan, re, im)
    local out_re, out_im = {}, {}
    for i = 1, plan.n do out_re[i], out_im[i] = 0.0, 0.0 end
    descend(plan, 1, re, im, 1, 1, out_re, out_im, 1, plan.n)
    if plan.inverse then
        for i = 1, plan.n do
            out_re[i], out_im[i] = out_re[i] / plan.n, out_im[i] / plan.n
        end
    end
    return out_re, out_im
end

return fft
