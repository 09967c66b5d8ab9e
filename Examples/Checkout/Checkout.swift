// A checkout whose traces tell of the business: `carts` (customer: articles) in, `bills` and `spent` out, spans in `traces.jsonl`.
//
// Tributary's own spans say which record was processed, stored and sent. `Lineage.withSpan` hangs those of the shop below them: what was priced,
// at which discount, and why not. A cart that came with a `traceparent`, from a web shop perhaps, goes on with its trace.
//
//     Checkout LOG
//     tributary trace --traces LOG/traces.jsonl
import Tributary

@main struct Checkout: TributaryApp {
    var configuration: StreamsConfiguration

    init() throws {
        let log = CommandLine.arguments.dropFirst().first ?? "./data"
        let spans = try OTLPFileExporter(
            .init(path: "\(log)/traces.jsonl"), resource: TelemetryResource(serviceName: "checkout"))
        configuration = StreamsConfiguration(
            applicationID: "checkout", log: .embedded(at: log),
            lineage: LineageConfiguration(sampler: .alwaysOn, exporter: spans),
            // Each cart that can't be priced is a warning; its span says so, too.
            logs: .none)
        configuration.runtime.processingHandler = { _ in .continue }
    }

    func build(_ builder: StreamsBuilder) throws {
        let bills = builder.stream("carts", of: Cart.self).processValues { Pricing() }
        bills.to("bills")
        bills.groupByKey()
            .aggregate(into: Int64(0), as: "spent") { cents, bill in cents += bill.cents }
            .toStream()
            .to("spent")
    }
}

/// Prices carts, in a span each.
final class Pricing: FixedKeyProcessor {
    static let prices: [String: Int64] = ["tea": 350, "coffee": 480, "cake": 620, "water": 150]

    private var context: FixedKeyProcessorContext<String, Bill>?

    func initialize(_ context: FixedKeyProcessorContext<String, Bill>) { self.context = context }

    func process(_ record: Record<String, Cart>) throws {
        let bill = try Lineage.withSpan("price cart", attributes: ["cart.articles": .int(record.value.count)]) { span in
            var cents: Int64 = 0
            for article in record.value.articles { cents += try price(article) }
            if record.value.count >= 5 {
                let discount = cents / 10
                span.addEvent("discount", ["discount.cents": .int(discount)])
                cents -= discount
            }
            span["bill.cents"] = .int(cents)
            return Bill(cents: cents)
        }
        try context?.forward(record.with(value: bill))
    }

    /// A span of its own below the cart's.
    private func price(_ article: String) throws -> Int64 {
        try Lineage.withSpan("look up price", attributes: ["article": .string(article)]) {
            guard let price = Self.prices[article] else { throw UnknownArticle(name: article) }
            return price
        }
    }
}

struct UnknownArticle: Error, CustomStringConvertible {
    var name: String

    var description: String { "there is no article '\(name)'" }
}

struct Cart: JSONRecordable {
    var articles: [String]

    var count: Int64 { Int64(articles.count) }
}

struct Bill: JSONRecordable {
    var cents: Int64
}
