#include "lab/contexts/sim_contexts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lab/contexts/contexts_paper.h"

namespace tw::lab {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(ParseClients, ARangeOrAList) {
  EXPECT_THAT(parse_clients("100..1000").value(),
              ElementsAre(100, 200, 300, 400, 500, 600, 700, 800, 900, 1000));
  EXPECT_THAT(parse_clients("5..7").value(), ElementsAre(5, 6, 7));
  EXPECT_THAT(parse_clients("9..9").value(), ElementsAre(9));
  EXPECT_THAT(parse_clients("500,50,500").value(), ElementsAre(50, 500));
  EXPECT_THAT(parse_clients("7").value(), ElementsAre(7));
}

TEST(ParseClients, WhatIsNoNumberOfClients) {
  for (const char* text : {"", "..", "1..", "..5", "5..1", "0", "0..5", "1,,2", "1,", ",1", "-1",
                           "1.5", "1...5", "100001", "1..100001", "99999999999999999999", "ten"}) {
    EXPECT_FALSE(parse_clients(text)) << text;
  }
}

ContextsLevel level_of(const sim::StageCosts& costs, Context context, std::size_t clients,
                       double gbps, sim::Direction direction = sim::Direction::receive) {
  ContextsLevel level{.load = {.context = context, .direction = direction, .clients = clients},
                      .costs = &costs,
                      .played = {}};
  sim::ContextsFigures figures{.gbps = gbps, .cpu_percent = 1800, .p99_us = 1e4};
  figures.busiest_core = 0.9;
  figures.median_core = 0.2;
  figures.cores = {{.busy = 0.2, .calls = 10, .packets = 10},
                   {.busy = 0.2, .calls = 10, .packets = 10},
                   {.busy = 0.9, .calls = 10, .packets = 50}};
  level.played = {figures, figures};
  return level;
}

TEST(Shapes, AreJudgedByWhatWasPlayed) {
  const sim::StageCosts costs = sim::paper_costs();
  EXPECT_THAT(shapes_of({}), IsEmpty());
  std::vector<ContextsLevel> levels{level_of(costs, Context::softirq, 500, 11.7),
                                    level_of(costs, Context::softirq, 1000, 4.5),
                                    level_of(costs, Context::thread, 1000, 14.4),
                                    level_of(costs, Context::thread_pinned, 1000, 14.4)};
  // One of the four is missing: what needs all of them is not judged.
  for (const Shape& shape : shapes_of(levels)) EXPECT_TRUE(shape.came_out) << shape.shape;
  EXPECT_EQ(shapes_of(levels).size(), 2U);
  levels.push_back(level_of(costs, Context::workqueue, 1000, 18));
  const auto came_out = [&levels](std::string_view begin) {
    for (const Shape& shape : shapes_of(levels)) {
      if (shape.shape.starts_with(begin)) return shape.came_out;
    }
    ADD_FAILURE() << begin;
    return false;
  };
  EXPECT_TRUE(came_out("receive, Gbps"));
  EXPECT_TRUE(came_out("receive: softirq has its peak"));
  EXPECT_TRUE(came_out("receive: in softirq the busiest"));
  EXPECT_TRUE(came_out("receive, % of a CPU"));
  levels[4].played = {sim::ContextsFigures{.gbps = 14}};
  levels[1].played[0].gbps = levels[1].played[1].gbps = 10;
  EXPECT_FALSE(came_out("receive, Gbps"));
  EXPECT_FALSE(came_out("receive: softirq has its peak"));
}

TEST(PaperFigures, AreBesideWhatIsPlayedAsThePaperDid) {
  const sim::StageCosts paper = sim::paper_costs();
  const sim::StageCosts own = sim::own_stage_costs();
  EXPECT_EQ(paper_figures(level_of(paper, Context::workqueue, 1000, 1)).size(), 2U);
  EXPECT_THAT(paper_figures(level_of(own, Context::workqueue, 1000, 1)), IsEmpty());
  EXPECT_THAT(paper_figures(level_of(paper, Context::affine, 1000, 1)), IsEmpty());
  EXPECT_THAT(paper_figures(level_of(paper, Context::workqueue, 900, 1)), IsEmpty());
  ContextsLevel fewer = level_of(paper, Context::workqueue, 1000, 1);
  fewer.load.cores = 4;
  EXPECT_THAT(paper_figures(fewer), IsEmpty());
}

}  // namespace
}  // namespace tw::lab
