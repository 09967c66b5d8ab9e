/// A node of the model: gives records to its children, in the order in which they were added.
final class ModelNode {
    /// The number, in the order of the calls that made the nodes.
    let number: Int
    let parents: [ModelNode]
    /// The node behind which a repartition topic is written that this one reads.
    var feeder: ModelNode?
    /// Whether what it gives has keys that are not those of its partitions.
    var needsRepartition = false
    /// Whether null keys pass into the repartition topic that it reads: a left join follows.
    var passesNullKeys = false
    /// The stream behind the repartition topic that unnamed joins of this one share.
    var joinRepartition: ModelNode?
    /// A table's store; whether it exists is only known when everything is built.
    var store: ModelStore?
    var isMaterialized = false
    /// Called before the first record, in the order of the nodes.
    var start: (() -> Void)?
    private(set) var children: [(node: ModelNode?, receive: (ModelRecord) throws -> Void)] = []

    init(_ number: Int, parents: [ModelNode]) {
        self.number = number
        self.parents = parents
        needsRepartition = parents.contains(where: \.needsRepartition)
    }

    func add(_ child: ModelNode?, _ receive: @escaping (ModelRecord) throws -> Void) {
        children.append((child, receive))
    }

    func send(_ record: ModelRecord) throws { for child in children { try child.receive(record) } }
}

/// A grouping of the model.
final class ModelGroup {
    let node: ModelNode
    /// Whether its repartition topic has a name, and so is shared by its aggregations.
    let isNamed: Bool
    var shared: ModelNode?

    init(_ node: ModelNode, isNamed: Bool) {
        self.node = node
        self.isNamed = isNamed
    }
}

/// A source of the model: a topic, or a repartition topic.
struct ModelSource {
    let node: ModelNode
    let topic: String?
    var queue: [ModelRecord] = []
}
