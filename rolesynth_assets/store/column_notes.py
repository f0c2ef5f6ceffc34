"""One line for each column, for the pages of the tables; a name means the same in every table."""

from __future__ import annotations

_NOTES = """
image_id            sha256 of the encoded image; `rolesynth trace` takes it
shard               image shard, a partition
source              file, tar member or URL that it was read from
media_type          type of the encoded image
width               pixels
height              pixels
bytes               size of the encoded image, bytes
data                the normalised image, encoded
ordinal             place in its file or list
reject_id           digest of what was turned down
reason              why there is no usable value; null or empty where there is one
detail              more about the reason
role_fingerprint    digest of the role: its texts and prompt templates
role_set            role set, a partition
name                name of the role
expertise           what the role knows
responsibilities    what the role looks for in an image
long_template       prompt for a long caption
short_template      prompt for a short caption
system              system prompt
generator           model that proposed the role; null for one written by hand
caption_id          digest of all that made the caption; `rolesynth trace` takes it
role                role that wrote the caption
length              long or short
text                the text; null where a reason says why there is none
reply               the model's own words; null where they are the text
cuts                cleaning rules that changed the reply
read_by             rules, language and bounds that the reply was read by
sent                what was sent beside the prompt, as JSON: model, sampling, further fields
answered_by         model that the server names in its answer
system_fingerprint  build of the server, as its answer names it
model               model that wrote it
revision            revision of the model
temperature         sampling temperature
top_p               nucleus sampling
max_tokens          most tokens of a reply
seed                seed of the sampling or of the training
prompt_tokens       tokens that the model read
completion_tokens   tokens that the model wrote
words               words of the text
finish_reason       why the model stopped
latency_s           seconds of the answering attempt
run_id              Dagster run that wrote the row
score_id            digest of all that made the score; `rolesynth trace` takes it
score               1 to 100, as the judge gave it; null where a reason says why there is none
rationale           what the judge wrote beside it
judge               model that judged it
judge_revision      revision of the judge
prompt_fingerprint  digest of the judge's prompt
kept                whether the cut kept it, or how many it kept
label_id            digest of reviewer and caption, or candidate
reviewer            name that the reviewer gave
truth               true, false or unsure: whether the caption is true of the image
fits                whether the caption fits its role
labelled_at         time of the answer, UTC
excluded            whether the caption is excluded; false where that was taken back
note                what the reviewer wrote beside it
decided_at          time of the decision, UTC
seed_id             digest of the seed; `rolesynth trace` takes it
domain              domain of the problems, a partition
problem             the seed's problem
answer              the answer
images              number of images
image_ids           images of the seed
context_id          digest of the context
round               first day of the weekly round, a partition
round_number        number of the round for this seed, from 1
before              context of the round before
reflection          what the optimiser wrote on hard samples
hard                whether the collective often failed on it
dealt               how many candidates each member was to write
optimiser           member that rewrote the context
candidate_id        digest of all that made the candidate; `rolesynth trace` takes it
index               number of the candidate among those of its member
member              member of the collective that wrote it
context_digest      digest of the context that it was written with
strategy            strategy by which it was written
strategy_detail     the strategy's own words
task_type           kind of task
claimed_domain      domain that its writer named
core_concepts       concepts that it needs
question            the question
solution            the writer's solution
visual_prompt       instruction for the drawing
renderer            what drew the image
image               the drawn image, encoded
decision            what became of it
judges              verdicts that count
consensus           share of the verdicts that agree with the answer
text_only_leak      whether it is solved without the image
suspect_label       whether the verdicts agree on another answer
copied_numbers      numbers taken over from the seed
duplicate_of        candidate that it repeats
consensus_without_writer  consensus without the writer's own verdict
calls               requests to models
verdict_id          digest of all that made the verdict; `rolesynth trace` takes it
with_image          whether the judge saw the image
is_writer           whether the judge wrote the problem
correct             whether the verdict agrees with the answer
decided_by          rule or model that compared the answers
raw                 the reply as it came
judgement           what a reviewer says of the reference: true, false, unsolvable or unsure
problem_id          digest of the problem; `rolesynth trace` takes it
keep_share          configured share of captions to keep, a share of 1
floor_per_image     captions kept of each image whatever their score
centred             whether scores count against the mean of their image
cutoff              lowest kept score; if centred, 100 times its distance from its image's mean
last_id             last caption kept among those that score the cut-off
last_shard          shard of that caption
own_cut             the recipe's own decision on the pairs, as JSON; null if it takes its role set's
trained_text        which part of each caption is trained on
left_out_shards     shards with pairs that the manifest did not list, as JSON; null if none
candidates          scored captions
unscored            captions without a score
floor_kept          captions kept for the floor alone
images_covered      images with a kept caption
scores_digest       digest of the scores that the cut was made from
pairs_digest        digest of the shard's pairs
pairs_version       version of the Lance table `pairs`
recipe              recipe, a partition
cut                 which cut the recipe trains on
pairs               (image, caption) pairs
digest              digest of the rows; `rolesynth trace` takes a training set's
recipe_digest       digest of the recipe's file
benchmark           benchmark, a partition
metric              what is measured
value               a share of 1
low                 lower end of the bootstrap interval
high                upper end of the bootstrap interval
chance              the value of guessing
n                   number of queries
checkpoint_digest   digest of the checkpoint's weights; `rolesynth trace` takes it
ranking_id          digest of seed, direction and query
direction           what is looked for with what
query               place of the query in the benchmark
rank                rank of the first right candidate, from 1; the mean over orders of ties
top                 the ten best candidates as JSON, the best first
"""
NOTES = {
    name: note.strip()
    for name, _, note in (line.partition(" ") for line in _NOTES.strip().splitlines())
}
"""The line of each column that a page shows."""
