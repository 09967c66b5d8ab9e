// Revenue by customer: `orders` in, as lines of a format of their own, `revenue` out; what can't be read goes to `dead-orders`.
//
//     tributary topics create orders revenue dead-orders --log ./orders
//     for order in "ada|2|150" "ada|many|150"; do echo "{\"key\":\"1\",\"value\":\"$order\"}"; done |
//         tributary topics produce orders --log ./orders
//     Orders ./orders &
//     tributary topics consume revenue --value-format int64 --follow --max 1 --log ./orders
//     tributary topics consume dead-orders --follow --max 1 --log ./orders
//     kill $!
import Tributary

@main struct Orders: TributaryApp {
    var configuration: StreamsConfiguration {
        var configuration = StreamsConfiguration(
            applicationID: "orders", log: .embedded(at: CommandLine.arguments.dropFirst().first ?? "./data"),
            // Each order that is left out is a warning; here they are expected.
            logs: .none)
        configuration.runtime.deadLetterTopic = "dead-orders"
        configuration.runtime.deserializationHandler = { _ in .continue }
        configuration.runtime.processingHandler = { _ in .continue }
        return configuration
    }

    func build(_ builder: StreamsBuilder) throws {
        builder.stream("orders", of: Order.self)
            .filter { _, order in
                guard order.quantity > 0 else { throw OrderError.nothingOrdered }
                return true
            }
            .groupBy { _, order in order.customer }
            .aggregate(into: Int64(0), as: "revenue") { cents, order in cents += order.quantity * order.cents }
            .toStream()
            .to("revenue")
    }
}

/// `customer|quantity|cents`, the cents of one piece.
struct Order {
    var customer: String
    var quantity: Int64
    var cents: Int64
}

enum OrderError: Error, CustomStringConvertible {
    case nothingOrdered

    var description: String { "an order of nothing" }
}

extension Order: Recordable {
    /// The format of the orders.
    static var serde: Serde<Order> {
        Serde(
            name: "order",
            decode: { bytes in
                let fields = (String(strictUTF8: bytes) ?? "").split(separator: "|", omittingEmptySubsequences: false)
                guard fields.count == 3, !fields[0].isEmpty, let quantity = Int64(fields[1]),
                    let cents = Int64(fields[2])
                else { throw SerdeError(.malformed, serde: "order", "customer|quantity|cents expected") }
                return Order(customer: String(fields[0]), quantity: quantity, cents: cents)
            },
            encode: { order, writer in
                writer.append(utf8: "\(order.customer)|\(order.quantity)|\(order.cents)")
            })
    }
}
