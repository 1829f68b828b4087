import { expect, it } from "vitest";
import { kubeEvent } from "./kubeEvent";

it("a KubeEvent is read by the names of its lines, the message to its end", () => {
  expect(
    kubeEvent(
      "type: Warning\nreason: BackOff\nobject: Pod shop/checkout-1\ncount: 41\nfirst seen: 2026-11-12T01:56:13Z\nlast seen: 2026-11-12T02:08:50Z\nreported by: kubelet\nmessage: Back-off restarting\nreason: of its own",
    ),
  ).toEqual({
    type: "Warning",
    reason: "BackOff",
    object: "Pod shop/checkout-1",
    count: 41,
    firstSeen: "2026-11-12T01:56:13Z",
    lastSeen: "2026-11-12T02:08:50Z",
    by: "kubelet",
    message: "Back-off restarting\nreason: of its own",
  });
});

it("what is no KubeEvent is not taken for one, and what was not said stays unsaid", () => {
  expect(kubeEvent("02:56:13 Warning BackOff")).toBeNull();
  expect(kubeEvent("reason: Pulled\nmessage: x")).toMatchObject({ count: null, lastSeen: null, type: "" });
});
