/// One statement of a topology: one call of the DSL.
public struct Statement: Sendable, Hashable {
    /// What a statement calls.
    public enum Operation: String, Sendable, CaseIterable {
        case stream, table, globalTable, store
        case filter, filterNot, mapValues, transformValues, map, flatMap, flatMapValues, selectKey
        case peek, foreach, split, merge, repartition, toTable, toStream, groupByKey, groupBy, windowedBy, cogroup
        case count, reduce, aggregate, join, fkJoin, suppress, process, processValues, to
    }

    /// What is called.
    public let operation: Operation
    /// Its position in the topology, from 0.
    public let index: Int
    /// All its fields.
    public let fields: CaseFields

    init(_ value: JSONValue, index: Int) throws(CaseError) {
        fields = try CaseFields(value)
        self.index = index
        let name = try fields.requiredText("op")
        guard let operation = Operation(rawValue: name) else {
            throw CaseError("there is no operation '\(name)'").inside("op")
        }
        self.operation = operation
    }

    /// The id of the result; nil if it has none.
    public var id: String? { get throws(CaseError) { try fields.text("id") } }

    /// The id of the first input.
    public var input: String { get throws(CaseError) { try fields.requiredText("in") } }

    /// The id of the second input.
    public var secondInput: String { get throws(CaseError) { try fields.requiredText("in2") } }

    /// The operator's name (`Named`, or the name of `Consumed` or `Produced`); nil if the overload without it is called.
    public var named: String? { get throws(CaseError) { try fields.text("named") } }

    /// The name of `Grouped`, `Repartitioned`, `Joined` and the like, or of a store.
    public var name: String? { get throws(CaseError) { try fields.text("name") } }

    /// The names of the stores that a processor is connected to.
    public var stores: [String] { get throws(CaseError) { try fields.texts("stores") ?? [] } }

    /// How the result is stored; nil if the overload without it is called.
    public var materialized: Materialization? {
        get throws(CaseError) {
            guard let mat = try fields.fields("mat") else { return nil }
            return try inside("mat") { () throws(CaseError) in try Materialization(mat) }
        }
    }

    /// The window of `windowedBy`.
    public var window: WindowShape {
        get throws(CaseError) {
            let window = try fields.requiredFields("window")
            return try inside("window") { () throws(CaseError) in try WindowShape(window) }
        }
    }

    /// The processor of `process` and `processValues`.
    public var processor: ProcessorShape {
        get throws(CaseError) {
            let processor = try fields.requiredFields("processor")
            return try inside("processor") { () throws(CaseError) in try ProcessorShape(processor) }
        }
    }

    /// The branches of `split`, the default one last and without a predicate.
    public var branches: [Branch] {
        get throws(CaseError) {
            var branches: [Branch] = []
            for value in try fields.list("branches") ?? [] {
                branches.append(
                    try inside("branches") { () throws(CaseError) in
                        try Branch(try CaseFields(value), isDefault: false)
                    })
            }
            if let fields = try fields.fields("default") {
                branches.append(
                    try inside("default") { () throws(CaseError) in try Branch(fields, isDefault: true) })
            }
            return branches
        }
    }

    /// One branch of `split`.
    public struct Branch: Sendable, Hashable {
        /// The id of its stream.
        public let id: String
        /// The name of `Branched.as`; nil if the overload without it is called.
        public let name: String?
        /// The name of its predicate; nil for the default branch.
        public let predicate: String?

        init(_ fields: CaseFields, isDefault: Bool) throws(CaseError) {
            id = try fields.requiredText("id")
            name = try fields.text("name")
            predicate = isDefault ? nil : try fields.requiredText("fn")
        }
    }
}

extension Statement {
    /// The value function in field `fn`.
    public var valueFunction: ValueFunction {
        get throws(CaseError) { try function("fn") { (text) throws(CaseError) in try ValueFunction(text) } }
    }

    /// The predicate in field `fn`.
    public var predicate: PredicateFunction {
        get throws(CaseError) { try function("fn") { (text) throws(CaseError) in try PredicateFunction(text) } }
    }

    /// The splitter in field `fn`.
    public var splitter: SplitterFunction {
        get throws(CaseError) { try function("fn") { (text) throws(CaseError) in try SplitterFunction(text) } }
    }

    /// The joiner in field `fn`.
    public var joiner: JoinerFunction {
        get throws(CaseError) { try function("fn") { (text) throws(CaseError) in try JoinerFunction(text) } }
    }

    /// The key function in `field`.
    public func keyFunction(_ field: String = "fn") throws(CaseError) -> KeyFunction {
        try function(field) { (text) throws(CaseError) in try KeyFunction(text) }
    }

    /// The aggregator in `field`.
    public func aggregator(_ field: String = "fn") throws(CaseError) -> AggregatorFunction {
        try function(field) { (text) throws(CaseError) in try AggregatorFunction(text) }
    }

    private func function<Result>(
        _ field: String, _ make: (String) throws(CaseError) -> Result
    ) throws(CaseError) -> Result {
        let text = try fields.requiredText(field)
        return try inside(field) { () throws(CaseError) in try make(text) }
    }
}
