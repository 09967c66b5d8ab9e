// A topology under test: no files, no threads, a clock that moves when told to.
import Tributary
import TributaryTesting

// snippet.test
let builder = StreamsBuilder()
builder.stream("words", of: String.self)
    .groupByKey()
    .count(as: "counts")
    .toStream()
    .to("totals")

let driver = try TopologyTestDriver(builder.build())
try driver.pipe("words", "swift", "first", timestamp: 1000)
try driver.pipe("words", "swift", "second", timestamp: 2000)

var totals = try driver.takeRecords(from: "totals", of: Int64.self)
precondition(totals.map(\.value) == [1, 2])

try driver.crash()  // as if the process had been killed: what was committed is there, nothing else
try driver.pipe("words", "swift", "third", timestamp: 3000)
totals = try driver.takeRecords(from: "totals", of: Int64.self)
precondition(totals.map(\.value) == [3])

let names = SourceNames(cluster: "test", topics: ["words"])
for row in try driver.rows(ofStore: "counts") {
    print(row.timestamp, try CellReport(row.cell.span.bytes, names: names).line)
}
driver.close()
// snippet.end
