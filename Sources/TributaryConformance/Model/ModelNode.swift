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
    /// Of a table: whether somebody behind asked what rows were before.
    var sendsOld = false
    /// Has a table say what rows were before; false if that takes a store, and none is to be made.
    var askOld: (_ makesStore: Bool) -> Bool = { _ in false }
    /// A table's row.
    var row: (CaseKey) throws -> ModelRow? = { _ in nil }
    /// A node reads a table's rows.
    var use: (_ node: Int) -> Void = { _ in }
    /// Of an aggregation by windows: how long they stay open behind their end.
    var grace: Int64?
    /// What a node does whose work is said after it was made.
    var received: ((ModelRecord) throws -> Void)?
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
    /// Whether it is of a table.
    let isOfTable: Bool
    var shared: ModelNode?

    init(_ node: ModelNode, isNamed: Bool, isOfTable: Bool = false) {
        self.node = node
        self.isOfTable = isOfTable
        self.isNamed = isNamed
    }
}

/// A source of the model: a topic, or a repartition topic.
struct ModelSource {
    let node: ModelNode
    let topic: String?
    var queue: [ModelRecord] = []
}
