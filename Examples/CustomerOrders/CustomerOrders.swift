// Orders with their customers: the tables `orders` (order: customer and amount) and `customers` (customer: name and city) in, `shipments` out.
//
// An order names its customer by a foreign key. Who changes an order or moves to another city changes the shipments; an order that is
// deleted, or whose customer is, takes its shipment with it.
//
//     CustomerOrders LOG
import Tributary

@main struct CustomerOrders: TributaryApp {
    let configuration = StreamsConfiguration(
        applicationID: "customer-orders", log: .embedded(at: CommandLine.arguments.dropFirst().first ?? "./data"))

    func build(_ builder: StreamsBuilder) throws {
        let customers = builder.table("customers", of: Customer.self)
        builder.table("orders", of: Order.self)
            .join(customers, on: \.customer) { order, customer in
                Shipment(cents: order.cents, name: customer.name, city: customer.city)
            }
            .toStream()
            .to("shipments")
    }
}

struct Order: JSONRecordable {
    /// The key of the customer's row.
    var customer: String
    var cents: Int64
}

struct Customer: JSONRecordable {
    var name: String
    var city: String
}

struct Shipment: JSONRecordable {
    var cents: Int64
    var name: String
    var city: String
}
