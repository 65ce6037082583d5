#include "relay/syn/held_answers.h"

#include <gtest/gtest.h>

#include "exec/manual_context.h"

namespace tw::relay {
namespace {

// Each reporter gets the answers to what it holds, and no others, and is woken for them alone.
TEST(HeldAnswers, GoToTheReporterThatHolds) {
  const ManualClock clock;
  ManualContext first_lane{ContextId{0}, clock}, second_lane{ContextId{1}, clock};
  SynAnswers first{first_lane, held_syns_max}, second{second_lane, held_syns_max};
  HeldAnswers answers;
  answers.send_to({&first, &second});
  answers.reported();
  answers.answer(held_number(1, 5), SynVerdict::pass);
  answers.reported();
  answers.keep_waiting();
  answers.release(held_number(1, held_syns_max - 1), SynVerdict::refuse);
  first_lane.run_until_idle();
  second_lane.run_until_idle();
  answers.wake();
  EXPECT_GT(first_lane.next_deadline(), clock.now());
  EXPECT_LE(second_lane.next_deadline(), clock.now());
  SynAnswer answer;
  EXPECT_FALSE(first.pop(answer));
  ASSERT_TRUE(second.pop(answer));
  EXPECT_EQ(answer.held, held_number(1, 5));
  ASSERT_TRUE(second.pop(answer));
  EXPECT_EQ(reporter_of(answer.held), 1U);
  EXPECT_EQ(answer.verdict, SynVerdict::refuse);
  answers.answer(held_number(0, 0), SynVerdict::drop);
  EXPECT_TRUE(first.pop(answer));
  EXPECT_FALSE(second.pop(answer));
}

}  // namespace
}  // namespace tw::relay
