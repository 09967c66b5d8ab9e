// A topology under test: no files, no threads, a clock that moves when told to.
import Tributary
import TributaryTesting

// snippet.test
let builder = StreamsBuilder()
builder.stream("words", key: .string, value: .string)
    .groupByKey()
    .count(as: "counts")
    .toStream()
    .to("totals")

let driver = try TopologyTestDriver(builder.build())
try driver.pipe("words", "swift", "first", timestamp: 1000, .string, .string)
try driver.pipe("words", "swift", "second", timestamp: 2000, .string, .string)

var totals = try driver.takeRecords(from: "totals", .string, .int64)
precondition(totals.map(\.value) == [1, 2])

try driver.crash()  // as if the process had been killed: what was committed is there, nothing else
try driver.pipe("words", "swift", "third", timestamp: 3000, .string, .string)
totals = try driver.takeRecords(from: "totals", .string, .int64)
precondition(totals.map(\.value) == [3])

let names = SourceNames(cluster: "test", topics: ["words"])
for row in try driver.rows(ofStore: "counts") {
    print(row.timestamp, try CellReport(row.cell.span.bytes, names: names).line)
}
driver.close()
// snippet.end
