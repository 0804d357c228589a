-- SPDX-License-Identifier: MIT
--
-- cns.proof.reject: how a part of the checker says that a proof is wrong: an error that proof.check
-- catches.

return function(format, ...)
    error({rejected = format:format(...)}, 0)
end
