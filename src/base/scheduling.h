// What the system's scheduler is told of the calling thread, from now on.
//
// Wishes, of which a system does what it knows (Linux: each needs no right; the first is known from 6.12 on): nothing
// fails, and nothing but time depends on it.
#pragma once

namespace pandora {

// It is woken to do little and sleeps again, while somebody waits for its answer: its turns on a processor are short.
// So it takes one over at once from a thread with longer ones, also from one that has just begun, which else is left
// alone until the scheduler's next tick (4 ms). Its share is not larger than that of others.
void take_short_turns();

// What it does may wait, and takes long: while others want the processor its share is a third of theirs, and it is the
// one that is interrupted when one of them is woken.
void work_behind_others();

}  // namespace pandora
