// Typed records in and out of a log, and a stream whose records happened when their values say.
import Tributary

struct Order: JSONRecordable {
    var item: String
    var cents: Int64
    var time: Int64  // milliseconds since the epoch; a Date would do, too
}

let log = try EmbeddedLog.open(at: "./orders-data")
if try log.topic("orders") == nil { try log.createTopics([TopicSpecification("orders", partitions: 2)]) }

// snippet.records
let orders = try log.producer("orders", of: Order.self, timestamp: \.time)
try orders.send("customer-1", Order(item: "tea", cents: 350, time: 1_795_278_482_000))
try orders.close()  // they are written now

for try await order in log.records("orders", of: Order.self, follows: false) {
    print(order.coordinate, order.timestamp, order.key ?? "-", order.value?.item ?? "deleted")
}
// snippet.end

// snippet.timestamps
let builder = StreamsBuilder()
builder.stream("orders", of: Order.self, timestamp: \.time)
    .groupByKey()
    .windowedBy(.tumbling(size: .seconds(60)))
    .aggregate(into: Int64(0), as: "spent") { sum, order in sum += order.cents }
    .toStream()
    .to("spent-by-minute")
// snippet.end
log.close()
