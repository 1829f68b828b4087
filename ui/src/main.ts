import "./style/base.css";
import { mount } from "svelte";
import App from "./App.svelte";
import { asError, connect } from "./ipc/api";

const target = document.getElementById("app");
if (!target) throw new Error("index.html has no #app");
try {
  mount(App, { target, props: { backend: await connect() } });
} catch (thrown) {
  target.textContent = asError(thrown).message;
}
