-- SPDX-License-Identifier: MIT
--
-- check_proof.lua - checks a proof that `cnsengine solve --proof FILE` wrote.
--
--     cnsengine solve --proof queens.proof queens.fzn
--     cnsengine run scripts/check_proof.lua -- queens.fzn queens.proof
--
-- Exit codes: 0 proved, every step verified; 3 rejected; 5 accepted, but some steps were too dear
-- to verify, or nothing is concluded; 2 usage. See doc/solver-proofs.md.

local proof = require "cns.proof"

local function usage(message)
    io.stderr:write("check_proof: ", message, "\n",
        "usage: cnsengine run scripts/check_proof.lua -- MODEL.fzn PROOF\n")
    os.exit(2, true)
end

local function open(path)
    local file, message = io.open(path, "rb")
    return file or usage(message)
end

local model_path, proof_path = ...
if not model_path or not proof_path then usage("which model, which proof?") end
local file <close> = open(model_path)
local text = file:read("a")
local lines <close> = open(proof_path)
local began = os.clock()
local verdict = proof.check(text, lines:lines())

local function row(name, value, note)
    print(("%-12s%10s  %s"):format(name, value, note or ""))
end

local counts = verdict.counts
row("steps", counts.steps or 0)
row("clauses", counts.learnt or 0, "learnt, verified by propagation")
row("lemmas", (counts.lemmas or 0) - (counts.trusted or 0), "verified against one constraint each")
row("trusted", counts.trusted or 0, "lemmas, too dear to verify")
row("solutions", verdict.solutions, "verified")
row("seconds", ("%.2f"):format(os.clock() - began))

-- Per constraint: how many lemmas it had, and what was trusted of them and why.
local names = {}
for name in pairs(verdict.constraints) do names[#names + 1] = name end
table.sort(names)
for _, name in ipairs(names) do
    local c = verdict.constraints[name]
    row("", c.lemmas, ("of %s, %d trusted"):format(name, c.trusted))
end
local WHY <const> = {
    search = "what it excludes could not be tried within the budget",
    joint = "it is about integers or Booleans without a meaning, and the constraint\n"
        .. "  has too many solutions to try whether all such steps hold together",
}
for _, name in ipairs(names) do
    for why, reason in pairs(WHY) do
        local count = verdict.constraints[name][why]
        if count > 0 then
            print(("trusted: %d of %s:\n  %s"):format(count, name, reason))
        end
    end
end
if not verdict.accepted then
    print(("rejected%s: %s"):format(verdict.line and ", line " .. verdict.line or "",
        verdict.message))
    os.exit(3, true)
elseif not verdict.concluded or counts.trusted > 0 then
    print("accepted, not proved: " .. verdict.conclusion)
    os.exit(5, true)
end
print("proved: " .. verdict.conclusion)
