-- SPDX-License-Identifier: MIT
--
-- checks.lua - counts what a test looks at, and ends it.

local checks = {}

local count, failures = 0, 0

---One check; `detail`: what to show of one that failed.
function checks.check(what, condition, detail)
    count = count + 1
    if not condition then
        failures = failures + 1
        print(("FAIL %s%s"):format(what, detail and ": " .. tostring(detail) or ""))
    end
end

---Ends the process; its exit code tells whether all was well.
function checks.finish()
    print(("%d checks, %d failed"):format(count, failures))
    os.exit(failures == 0)
end

return checks
